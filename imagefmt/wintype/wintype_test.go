package wintype

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

func TestGUID(t *testing.T) {
	// The VSS identifier as it stands on disk.
	disk := GUID{0x6b, 0x87, 0x08, 0x38, 0x76, 0xc1, 0x48, 0x4e, 0xb7, 0xae, 0x04, 0x04, 0x6e, 0x6c, 0xc7, 0x52}
	const text = "3808876b-c176-4e48-b7ae-04046e6cc752"
	if disk.String() != text {
		t.Errorf("got %s", disk)
	}
	for _, s := range []string{text, "{3808876B-C176-4E48-B7AE-04046E6CC752}"} {
		if g, err := ParseGUID(s); err != nil || g != disk {
			t.Errorf("ParseGUID(%s) = %s, %v", s, g, err)
		}
	}
	for _, s := range []string{"", "x", text[1:], text + "0", "3808876b-c176-4e48-b7ae-04046e6cc75g", "3808876bc176-4e48-b7ae-04046e6cc752-"} {
		if g, err := ParseGUID(s); err == nil {
			t.Errorf("ParseGUID(%q) = %s", s, g)
		}
	}
}

func TestFiletime(t *testing.T) {
	for _, c := range []struct {
		ticks Filetime
		want  string
	}{
		{0x01ceeff1d012a94b, "2013-12-03T06:35:09.7363787Z"}, {0, "1601-01-01T00:00:00.0000000Z"}, {1, "1601-01-01T00:00:00.0000001Z"},
		{116444736000000000, "1970-01-01T00:00:00.0000000Z"}, {116444735999999999, "1969-12-31T23:59:59.9999999Z"},
		{2650467743999999999, "9999-12-31T23:59:59.9999999Z"}, {1<<63 - 1, "30828-09-14T02:48:05.4775807Z"},
		{-1, "1600-12-31T23:59:59.9999999Z"}, {-1 << 63, "-27627-04-19T21:11:54.5224192Z"}, // stored as 2^64-1 and 2^63
	} {
		if c.ticks.String() != c.want {
			t.Errorf("%d: %s, want %s", c.ticks, c.ticks, c.want)
		}
		if back := FiletimeOf(c.ticks.Time()); back != c.ticks {
			t.Errorf("%d comes back as %d", c.ticks, back)
		}
	}
	if y := Filetime(1<<63 - 1).Time().Year(); y != 30828 {
		t.Errorf("largest time is in year %d", y)
	}
	if got := Filetime(1).Time().Sub(Filetime(0).Time()); got != 100*time.Nanosecond {
		t.Errorf("a tick lasts %v", got)
	}
}

func TestUTF16(t *testing.T) {
	for _, units := range [][]uint16{
		{}, {'a', 0xe9, 0x4e2d}, {0xd83d, 0xde00, 'x'}, {0xd83d}, {0xde00, 0xd83d}, {0xd83d, 'x'}, {0xd83d, 0xd83d, 0xde00},
		{0xfeff, 'a'}, {0xfffe, 'a'}, {0xfffd}, {0, 1, '/'}, {0xffff},
	} {
		b := make([]byte, 0, 2*len(units))
		for _, u := range units {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		s := DecodeUTF16(b)
		if back := EncodeUTF16(s); !slices.Equal(back, units) {
			t.Errorf("%x -> %q -> %x", units, s, back)
		}
	}
	if s := DecodeUTF16([]byte{0x3d, 0xd8, 0x00, 0xde}); s != "😀" {
		t.Errorf("a surrogate pair gives %q", s)
	}
	if u := EncodeUTF16("a\xffb"); !slices.Equal(u, []uint16{'a', 0xfffd, 'b'}) {
		t.Errorf("a stray byte gives %x", u)
	}
}

func FuzzUTF16(f *testing.F) {
	f.Add([]byte{0x3d, 0xd8, 0x00, 0xde, 0x3d, 0xd8})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:len(b)&^1]
		var back []byte
		for _, u := range EncodeUTF16(DecodeUTF16(b)) {
			back = binary.LittleEndian.AppendUint16(back, u)
		}
		if !slices.Equal(back, b) {
			t.Errorf("%x comes back as %x", b, back)
		}
	})
}
