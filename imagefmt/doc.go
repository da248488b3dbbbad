// Package imagefmt recognises the format of a disk image and opens it with the files that belong to it: the parts of a
// split image, backing files and parents, segments and extents.
//
// What it returns is one layer.Mapper, the virtual disk; each format is a package below that knows no other one.
//
//   - formats.go is the table of formats, each a format.Format that its package exports: what a file begins or ends with,
//     and what opens it. The first match is final, a format that is known and not read is a layer.ErrUnsupported, and raw
//     takes the rest;
//   - image.go is Open and the Image; layers.go has the earlier states that an image stands on or keeps, which Options.Layer
//     chooses from;
//   - refused.go knows what cannot be read, by both ends of a file, by its name, or as a folder;
//   - opener.go opens each file once, counts how many stand on each other, and closes them; files.go is what a format opens
//     other files by; sibling.go finds those that an image names, parents.go the one that it stands on, by name and by
//     identifier; folder.go and host.go say where they may lie: by default in the image's own folder and below; given.go
//     has what the user names beside the image;
//   - split.go knows the names of the parts of a split image;
//   - size.go and mounted_linux.go ask the system about block devices.
//
// Offsets and sizes are bytes of the disk. An Image is immutable after Open and safe for concurrent use; Close ends it, and
// all that was made from it. Files are opened for reading only. Opening reads headers and tables, and goes through the
// whole file only where the format leaves no other way (gzip, and most of zstd), which Options.Progress is told of.
//
// The doc comment of each format says where its facts are from.
package imagefmt
