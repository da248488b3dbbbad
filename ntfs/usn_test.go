package ntfs_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/usn"

	"www.velocidex.com/golang/go-ntfs/parser"
)

// TestUSN decodes 200 records, of which every fourth is of version 3, behind a hole of 1 MiB.
func TestUSN(t *testing.T) {
	image := testenv.Open(t, ntfstest.Journal.Build(t))
	tree := openTree(t, image)
	n, err := tree.Lookup("usn.bin")
	if err != nil {
		t.Fatal(err)
	}
	hello, err := tree.Lookup("hello.txt")
	if err != nil {
		t.Fatal(err)
	}
	j, err := n.Stream("$J")
	if err != nil {
		t.Fatal(err)
	}
	byUSN, count := map[int64]usn.Record{}, 0
	for r, err := range usn.Records(t.Context(), j) {
		if err != nil {
			t.Fatal(err)
		}
		major := uint16(2)
		if count%4 == 3 {
			major = 3
		}
		record, seq, ok := r.File.Ref()
		parent, _, _ := r.Parent.Ref()
		if r.Major != major || r.Moved() || !ok || (ntfs.Ref{Record: record, Seq: seq}) != hello.Ref || parent != 5 || r.Reason != usn.FileCreate ||
			r.Name != fmt.Sprintf("file%d.txt", count) || r.Attr != 0x20 || r.Time.String() != "2020-09-13T12:26:40.0000005Z" {
			t.Errorf("record %d: %+v", count, r)
		}
		byUSN[r.USN] = r
		count++
	}
	if count != 200 {
		t.Errorf("%d records", count)
	}
	if n := compareUSN(t, image, n.Ref.Record, byUSN); n != 150 {
		t.Errorf("go-ntfs has %d records of version 2", n)
	}
}

// compareUSN counts the records of version 2 that go-ntfs decodes; those of version 3 it takes for such.
func compareUSN(t *testing.T, image io.ReaderAt, record uint64, ours map[int64]usn.Record) (count int) {
	theirs, err := parser.GetNTFSContext(image, 0)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := theirs.GetMFT(int64(record))
	if err != nil {
		t.Fatal(err)
	}
	j, err := parser.OpenStream(theirs, entry, 128, parser.WILDCARD_STREAM_ID, "$J")
	if err != nil {
		t.Fatal(err)
	}
	for r := range parser.ParseUSN(context.Background(), theirs, j, 0) {
		if r.MajorVersion() != 2 {
			continue
		}
		count++
		o, ok := ours[int64(r.Usn())]
		id, seq, _ := o.File.Ref()
		parent, parentSeq, _ := o.Parent.Ref()
		if !ok || o.Major != 2 || o.Offset != r.Offset || o.Name != r.Filename() || id != r.FileReferenceNumberID() || uint64(seq) != r.FileReferenceNumberSequence() ||
			parent != r.ParentFileReferenceNumberID() || uint64(parentSeq) != r.ParentFileReferenceNumberSequence() || !o.Time.Time().Equal(r.TimeStamp().Time) ||
			o.SecurityID != r.SecurityId() || fmt.Sprint(r.Reason()) == "" {
			t.Errorf("%+v, go-ntfs has %s", o, r.DebugString())
		}
	}
	return count
}
