package content

import "bytes"

// checkMP3 walks the frames between the tags. Bytes between frames are wrong.
func checkMP3(f *file) finding {
	s := f.from(0)
	for {
		h := s.peek(10)
		if h == nil {
			return cut("it ends within a tag")
		}
		if string(h[:3]) != "ID3" {
			break
		}
		n := int64(h[6]&0x7f)<<21 | int64(h[7]&0x7f)<<14 | int64(h[8]&0x7f)<<7 | int64(h[9]&0x7f)
		if !s.skip(10 + n) {
			return cut("it ends within a tag")
		}
	}
	lead := 0
	for frames := 0; ; {
		h := s.peek(4)
		if h == nil {
			return mp3End(frames, s.off)
		}
		n := mp3Frame(h)
		switch {
		case n > 0 && !s.skip(n):
			_ = s.skip(s.left())
			return mp3End(frames, s.off) // the last frame is often cut
		case n > 0:
			frames++
		case frames == 0 && lead < 1<<20 && (h[0] == 0 || lead > 0 || string(h) == "RIFF"):
			s.take(1)
			lead++
		case frames == 0:
			return torn(s.off, "no frame is")
		case mp3Tag(s):
			return mp3End(frames, s.off)
		default:
			return torn(s.off, "no frame is")
		}
	}
}

func mp3End(frames int, off int64) finding {
	if frames < 2 {
		return torn(off, "no frames are")
	}
	return sound(false, "the frames are right")
}

// mp3Tag reports whether what follows the frames is a tag, or padding.
func mp3Tag(s *stream) bool {
	b := s.peek(int(min(s.left(), 11)))
	for _, tag := range []string{"TAG", "APETAGEX", "LYRICSBEGIN", "ID3", "3DI", "\x00\x00\x00\x00"} {
		if bytes.HasPrefix(b, []byte(tag)) {
			return true
		}
	}
	return false
}

// mp3Frame returns the size of a frame by its header; 0 when it is none (ISO 11172-3 2.4.1.3).
func mp3Frame(h []byte) int64 {
	if h[0] != 0xff || h[1]&0xe0 != 0xe0 {
		return 0
	}
	version, lay, rate, freq := h[1]>>3&3, h[1]>>1&3, h[2]>>4, h[2]>>2&3
	if version == 1 || lay == 0 || rate == 0 || rate == 15 || freq == 3 {
		return 0
	}
	kbit := [5][16]int64{
		{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
		{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	}
	table := int(3 - lay)
	hertz := [3]int64{44100, 48000, 32000}[freq]
	if version != 3 {
		hertz /= 2
		table = min(3+table, 4)
	}
	if version == 0 {
		hertz /= 2
	}
	bits, pad := kbit[table][rate]*1000, int64(h[2]>>1&1)
	switch {
	case lay == 3:
		return (12*bits/hertz + pad) * 4
	case lay == 1 && version != 3:
		return 72*bits/hertz + pad
	}
	return 144*bits/hertz + pad
}
