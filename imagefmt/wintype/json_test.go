package wintype

import (
	"encoding/json"
	"testing"
)

func TestWTF8(t *testing.T) {
	for _, c := range []struct{ s, want string }{
		{"", `""`}, {"plain \u00e9 \"\\\n", `"plain é \"\\\n"`}, {"\U0001f600", `"😀"`},
		{"a\xed\xa0\x80\"\n\\b\u00e9\U0001f600\xed\xb0\x80", `"a\ud800\"\n\\bé😀\udc00"`},
	} {
		b, err := json.Marshal(WTF8(c.s))
		if err != nil || string(b) != c.want {
			t.Errorf("%q: %s, %v, want %s", c.s, b, err, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{`"\uD800\/\u00e9\ud83d\ude00x\udc00\\"`, "\xed\xa0\x80/\u00e9\U0001f600x\xed\xb0\x80\\"}, {`"\\ud800"`, `\ud800`}, {"null", ""},
	} {
		var s WTF8
		if err := json.Unmarshal([]byte(c.text), &s); err != nil || string(s) != c.want {
			t.Errorf("%s: %q, %v, want %q", c.text, s, err, c.want)
		}
	}
	if err := json.Unmarshal([]byte(`5`), new(WTF8)); err == nil {
		t.Error("a number is no name")
	}
}

// FuzzWTF8 writes any string of UTF-16, and reads any JSON.
func FuzzWTF8(f *testing.F) {
	f.Add([]byte("a\x00\x00\xd8\"\x00\\\x00"), []byte(`"\ud800\u00"`))
	f.Fuzz(func(t *testing.T, units, text []byte) {
		want := WTF8(DecodeUTF16(units))
		b, err := json.Marshal(want)
		var got WTF8
		if err == nil {
			err = json.Unmarshal(b, &got)
		}
		if err != nil || got != want {
			t.Errorf("%q, %s, %q, %v", want, b, got, err)
		}
		json.Unmarshal(text, &got)
	})
}
