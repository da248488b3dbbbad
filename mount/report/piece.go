package report

import (
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// Piece is one object of "explain --json". Its image is the file that holds the bytes, which may be one below the image
// that was named: that one is in Location.
type Piece struct {
	Head
	Location     string       `json:"location"` // IMAGE:VOLUME@POINT:/PATH
	Offset       int64        `json:"offset"`   // bytes, in the file
	Length       int64        `json:"length"`
	VolumeOffset *int64       `json:"volume_offset"`
	Why          string       `json:"why"`
	Image        string       `json:"image"`
	ImageOffset  *int64       `json:"image_offset"`
	Reason       layer.Reason `json:"reason,omitempty"` // why the content is unknown: unprotected, incomplete, ...
	Error        string       `json:"error,omitempty"`
}

// PieceOf describes a range of what is at a path.
func PieceOf(p *points.Point, path string, x points.Piece) Piece {
	j := Piece{Head: HeadOf(p), Location: Location(p) + ":" + path, Offset: x.Off, Length: x.Len, VolumeOffset: atLeastZero(x.Volume),
		Why: x.Why, Image: x.Image, Reason: x.Reason, Error: lineOf(x.Err)}
	if x.Image != "" {
		j.ImageOffset = atLeastZero(x.ImageOff)
	}
	return j
}

// String tells the piece in a line for people.
func (p Piece) String() string {
	line := fmt.Sprintf("0x%x + 0x%x", p.Offset, p.Length)
	if p.VolumeOffset != nil {
		line += fmt.Sprintf(", volume 0x%x", *p.VolumeOffset)
	}
	if p.Why != "" {
		line += ": " + p.Why
	}
	if p.Image != "" {
		line += "; " + p.Image
	}
	if p.ImageOffset != nil {
		line += fmt.Sprintf(" at 0x%x", *p.ImageOffset)
	}
	if p.Error != "" {
		line += "; NOT READABLE: " + p.Error
	}
	return line
}
