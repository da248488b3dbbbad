// Package ntfs presents an NTFS volume, live or at a point in time, as a tree of nodes and their streams.
//
// Nothing is replayed or repaired: the tree is what the volume's structures say. Damage is an error of the record,
// index block or range it is in, and hides nothing else. What the volume keeps twice is asked twice: boot sector and copy,
// $MFT and $MFTMirr, a directory's index and the $FILE_NAME that it repeats, base record and attribute list.
//
// Open reads the boot sector, the record of $MFT and what describes the volume. From there on,
//
//   - boot.go, record.go, attribute.go, attrlist.go, filename.go, runs.go, indexnode.go and decode.go decode what lies on
//     the disk: bytes to values, at explicit offsets, as far as package layout does not do so;
//   - bootfind.go, mft.go and extensions.go find the volume, its $MFT and the records of a file by the witness that is right;
//     survey.go asks all records at once, state.go says whether a record was lost, unreached.go what no directory leads to;
//   - tree.go, node.go, special.go and metadata.go make nodes of records; scan.go goes over the whole $MFT; cache.go keeps
//     what was decoded, once for all points in time that share it;
//   - index.go, listing.go, children.go, complete.go, lookup.go, paths.go, upcase.go and upcasedefault.go are directories: the
//     B-tree in order and by name, what only the records have, and the way back up; view.go has the indexes that are not of
//     names;
//   - data.go, stream.go, compressed.go, wof.go and value.go are content: plain, sparse, LZNT1, WOF; fs.go is all of it as an
//     fs.FS;
//   - secure.go, ea.go, objectid.go, reparse.go, reparsedata.go and tagname.go are metadata; journal.go and logfile.go say
//     what $UsnJrnl and $LogFile are like;
//   - deleted.go, slack.go and reuse.go find what was deleted, and say what of it is in use again; owners.go says who
//     has a cluster;
//   - same.go and place.go prove that two points have the same of a node, by where its records lie.
//
// Offsets and lengths are bytes, of the stream or of the volume as the comment says; what counts clusters is called vcn (of
// a stream) or lcn (of the volume). Numbers are little-endian. Times are FILETIMEs, 100 ns since 1601, UTC. Names are
// WTF-8, so that unpaired surrogates survive. A Ref is a record number of 48 bits and a sequence number of 16.
//
// A Tree and all that it gives (nodes, streams, entries) are immutable, but for the cache, and safe for concurrent use.
// Slices in a Node alias its record, and must not be written to. Streams are layer.Mappers onto the volume, so that what is
// below decides what is known. Errors are those of package layer, fs.ErrNotExist, and those that this package names.
//
// Sources stand beside what they are of: [MS-FSCC], [MS-XCA] and headers of the Windows SDK. What Microsoft does not
// document is as Windows' own volumes have it, and as ntfs-3g, The Sleuth Kit and wimlib read it, which tests compare with.
package ntfs
