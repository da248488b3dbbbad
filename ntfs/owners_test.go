package ntfs_test

import (
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// TestOwners holds the places of all files against $Bitmap: each cluster in use is of one file, and no other is of any.
// Then it asks whose some of them are.
func TestOwners(t *testing.T) {
	for _, v := range []ntfstest.Volume{ntfstest.Feat, ntfstest.Feat512, ntfstest.Feat64K, ntfstest.Feat4Kn} {
		t.Run(v.Name, func(t *testing.T) {
			tree := openTree(t, testenv.Open(t, v.Build(t)))
			cluster := int64(tree.ClusterSize())
			used, err := tree.Used()
			if err != nil {
				t.Fatal(err)
			}
			owner := make([]ntfs.Ref, tree.Size()/cluster)
			for n, err := range tree.Nodes() {
				if err != nil {
					t.Error(err)
					continue
				}
				for r := range n.Places() {
					for lcn := r.Off / cluster; lcn < (r.Off+r.Len)/cluster; lcn++ {
						if old := owner[lcn]; old != (ntfs.Ref{}) {
							t.Fatalf("cluster 0x%x is of %v and %v", lcn, old, n.Ref)
						}
						owner[lcn] = n.Ref
					}
				}
			}
			for off := int64(0); off+cluster <= tree.Size(); {
				in, n, err := used(off, tree.Size()-off)
				if err != nil || n < 1 {
					t.Fatal(n, err)
				}
				for end := off + n; off < end && off/cluster < int64(len(owner)); off += cluster {
					if in != (owner[off/cluster] != ntfs.Ref{}) {
						t.Fatalf("cluster 0x%x: in use %v, of %v", off/cluster, in, owner[off/cluster])
					}
				}
			}
			askOwners(t, tree, owner)
		})
	}
}

// askOwners asks for every hundredth cluster in use. Those of indexes have no owner to be told.
func askOwners(t *testing.T, tree *ntfs.Tree, owner []ntfs.Ref) {
	cluster, want := int64(tree.ClusterSize()), map[ntfs.Ref]bool{}
	var ranges []ntfs.Range
	for lcn := 0; lcn < len(owner); lcn += 100 {
		n, err := tree.Node(owner[lcn])
		if err == nil && n.Attr&ntfs.AttrDirectory == 0 && owner[lcn] != (ntfs.Ref{}) {
			ranges, want[owner[lcn]] = append(ranges, ntfs.Range{Off: int64(lcn)*cluster + 17, Len: 3}), true
		}
	}
	got := map[ntfs.Ref]bool{}
	for ref, err := range tree.Owners(t.Context(), ranges) {
		if err != nil {
			t.Error(err)
		}
		if got[ref] = true; !want[ref] {
			t.Errorf("%v owns none of the ranges", ref)
		}
	}
	if len(got) != len(want) || len(want) < 5 {
		t.Errorf("%d owners, want %d", len(got), len(want))
	}
}
