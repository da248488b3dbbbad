package report

import (
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// Piece is one object of "explain --json". Its image is the file that holds the bytes, which may be one below the image
// that was named: that one is in Location.
type Piece struct {
	Head
	Offset       int64        `json:"offset"`                     // bytes, in the file
	Length       int64        `json:"length"`                     // bytes
	VolumeOffset *int64       `json:"volume_offset"`              // on the volume at the point
	Encrypted    *int64       `json:"encrypted_offset,omitempty"` // on the volume of now: what BitLocker's key decrypts to it
	Why          string       `json:"why"`                        // what led there, in words
	Image        string       `json:"image"`                      // what holds the bytes: a file of this machine, mostly; empty where nothing does
	ImageOffset  *int64       `json:"image_offset"`               // in that file; null where it is packed there
	Reason       layer.Reason `json:"reason,omitempty"`           // why the content is unknown: unprotected, incomplete, ...
	Trust        points.Trust `json:"trust,omitempty"`            // what it rests on at a deleted snapshot: kept, carved, proved, agreed, doubtful or unknown
	Error        string       `json:"error,omitempty"`            // why it cannot be read
}

// PieceOf describes a range of what is at a path.
func PieceOf(p *points.Point, path string, x points.Piece) Piece {
	j := Piece{Head: headOf(p, path, ntfs.Ref{}), Offset: x.Off, Length: x.Len, VolumeOffset: atLeastZero(x.Volume),
		Why: x.Why, Image: x.Image, Reason: x.Reason, Trust: x.Trust, Error: lineOf(x.Err)}
	if x.Sealed >= 0 {
		j.Encrypted = &x.Sealed
	}
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
	if p.Encrypted != nil {
		line += fmt.Sprintf("; decrypted by BitLocker from 0x%x of the volume", *p.Encrypted)
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
