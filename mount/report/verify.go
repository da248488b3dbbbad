package report

// Verify is the document of "verify --json".
type Verify struct {
	Schema int    `json:"schema"`
	Image  string `json:"image"`
	Size   int64  `json:"size"` // bytes of the disk
	Hashes []Hash `json:"hashes"`
	Bad    []Bad  `json:"bad"` // ranges of the disk that are damaged; they count as zeros in the hashes
	Intact bool   `json:"intact"`
}

// Hash compares one of an image's hashes.
type Hash struct {
	Name     string  `json:"name"`
	Stored   *string `json:"stored"` // when the image was made
	Computed string  `json:"computed"`
}

// HashOf compares; stored is empty where the image keeps none.
func HashOf(name, stored, computed string) Hash {
	h := Hash{Name: name, Computed: computed}
	if stored != "" {
		h.Stored = &stored
	}
	return h
}
