package points_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
)

// TestAnywhereInside has images inside an image whose backing file is elsewhere on the volume, or on this machine.
func TestAnywhereInside(t *testing.T) {
	qemuImg := testenv.Peer(t, "qemu-img")
	create := func(backing, image string) {
		testenv.Run(t, qemuImg, "create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", "qcow2", image, "60817408")
	}
	image := outer(t, "40M", func(dir string) {
		copyFile(t, demo(t), dir+"/deep/demo.qcow2")
		copyFile(t, demo(t), dir+"/tops/mine.qcow2")
		create("/deep/demo.qcow2", dir+"/tops/absolute.qcow2")
		create("../deep/demo.qcow2", dir+"/tops/above.qcow2")
		create("../../../../../../../../deep/demo.qcow2", dir+"/tops/high.qcow2")
		create(filepath.Join(filepath.Dir(demo(t)), "demo.qcow2"), dir+"/tops/host.qcow2")
	})
	want := manifest(t)["Documents"]["current"]
	for _, name := range []string{"absolute", "above", "high", "host"} {
		location := image + ":/tops/" + name + ".qcow2"
		s, err := points.Open(t.Context(), []string{location}, points.Options{})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "demo.qcow2 is not beside "+name+".qcow2, and want --allow-backing-anywhere for /") {
			t.Errorf("%s: error %v", name, err)
		}
		s, err = points.Open(t.Context(), []string{location}, points.Options{Anywhere: true})
		if (err != nil) != (name == "host") {
			t.Errorf("%s, anywhere: error %v", name, err)
		}
		if err != nil {
			continue
		}
		if got := contents(t, s.Volumes[0].Current()); !maps.Equal(got, want) {
			t.Errorf("%s: %d files differ from %d", name, len(got), len(want))
		}
		if files := s.HostFiles(); len(files) != 1 || files[0] != image {
			t.Errorf("%s: opened %q of this machine", name, files)
		}
		s.Close()
	}
}
