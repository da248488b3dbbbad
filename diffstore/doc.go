// Package diffstore reads the volume shadow copies (VSS) that the Windows driver volsnap keeps on a volume, and
// presents the volume as it was at each of them.
//
// A volume has a stack of snapshots, 1 the oldest. Each owns a store (diff area). Before a 16 KiB block of the live
// volume is overwritten for the first time since the newest snapshot was made, its old content goes to the newest
// store. A snapshot is therefore read by asking its own store, then each newer one, then the live volume.
//
// The rules, cited by number in the code:
//
//  1. Order is the stack position, never the time; stores marked offline stay in the chain. A gap in the positions
//     ends the chain of the snapshots below it, and makes it incomplete (rule 12); so does a catalog that breaks off.
//  2. Snapshot and store entries of the catalog are joined by store GUID, wherever they stand.
//  3. When the diff area is on another volume, that volume's catalog has the store entries, and their offsets and all
//     data offsets count there. Original offsets, moves and live data count on the volume itself.
//  4. A metadata block whose identifier, type or own offset is wrong, or that was seen before, ends its chain. What
//     was read before stays usable and the damage is reported.
//  5. Descriptors count in list order. Unused and empty ones are skipped; only the bits moved, overlay and unused
//     change reading. A block whose descriptor points outside of the volume is unreadable.
//  6. A moved block (forwarder O to R) is read at R in the next newer store, finally on the live volume. A later
//     descriptor of R in the same store belongs to O.
//  7. A copy wins over a move of the same block in the same store, in either order; of several copies the last wins.
//  8. A move that comes home removes what the store has of that block.
//  9. Overlays are 512-byte sectors written into the snapshot itself. They count only for the snapshot that owns them,
//     each with its own data, the later one winning; moves do not touch them.
//  10. A block that no store has is live data, when nothing says that it went unprotected (rule 11) or that a store is
//     incomplete (rule 12). After a move there is no test of rule 11, but the target must not have been cut off.
//  11. A store does not protect the blocks set in its current bitmap and, if it has one, in its previous bitmap, of
//     which bits that are missing or past the size of all older snapshots count as set; nor what was past the end of
//     the volume when it was made. A block that the snapshot's own store or a newer one left unprotected, before a
//     store has it, is layer.Unknown. If no store has it, Base says what the driver gives: zeros when such a store
//     has the flag IgnoredAsZeros, or when the snapshot is the newest of all (unless the block is the target of its own
//     unfinished move); else live data. Newer stores without previous bitmap and without IgnoredAsZeros do not count:
//     Server 2003 keeps none and asks all older bitmaps instead. What cannot be read of a bitmap raises doubt in
//     snapshots that may be scoped (IgnoredAsZeros); in others it only drops the zeros.
//  12. A store whose block list could not be read to its end is incomplete. For snapshots that are read through it, a
//     copy found there or before is data, and so is what is proven not to have changed since it was made (rule 18);
//     everything else is layer.Unknown, with the best guess as Base. Newer snapshots are not concerned. A list ends at its first free slot: a block of it that is not full is the last,
//     whatever its next field says; a full one has a successor, which lies in the store file right behind the last copy.
//     A slot left out before others is lost, and what is behind it counts no more.
//  13. Each snapshot has its own size. Live bytes past the end of the live volume are an error, not zeros.
//  14. A store that the volume lacks, or whose block list is damaged there, is read from a file, if that is as new.
//     Places are then those in the file. Snapshots of a captured catalog that the volume's whole catalog does not have
//     were deleted: older ones than all others are read through those, the rest stand beside the stack (rule 1: a gap).
//  15. Stores that no catalog has make recovered snapshots, in the order that their bitmaps prove, else of their GUIDs,
//     else of their files, else each alone. They are the stack only when there is no other. Their flags are not known:
//     what they leave unprotected counts in older ones.
//  16. The blocks of a store file have two addresses: on the volume, and in the file, which the range list places on the
//     volume. Both are asked, of records and of descriptors. A record of which they contradict is damaged; a block whose
//     descriptor contradicts itself is unknown. A range that contradicts most of what is in it is itself wrong.
//  17. The blocks of a store file are handed out in order: below the highest in use each is a record or belongs to a
//     descriptor. Others with content are copies whose descriptor is lost, and make the store incomplete; where there are
//     none, no copy is lost.
//  18. A recovered or deleted stack ends when its newest snapshot was made, as nothing proves that copies were made after
//     that. Of the live volume it has only what is proven unchanged since (Options.Unchanged); the rest is unknown.
//  19. A slot of the catalog that is not empty, has no type of an entry or that of a store that cannot be, and names a
//     store that has an entry, there or in the catalog of the storage volume, was a snapshot; and a slot that was never
//     used, before others that are, had an entry. Its loss is told. Where the one lost may be the newest, what changed
//     since the newest that is left is unknown.
//  20. A store that a catalog has an entry of, or the volume's file system a file, and of which no volume has the snapshot,
//     is of this volume when its bitmaps follow those of a neighbour, which is also its place in the stack, when something
//     of its snapshot entry is left, or when the files that it keeps records of are of it. It is of another one when its
//     bitmap or the files contradict, when it was made together with a snapshot of this one, or when it follows another
//     snapshot than the newest, which is whole. Where nothing tells, an entry of a catalog that has lost none is taken as
//     of a volume that was not given; else, and where its place is not known, rule 19 holds. A catalog whose entry is left
//     tells that copies were made to the end; a file alone does not (rule 18).
//  21. The previous bitmap of a store has every block that the store before leaves alone or has a descriptor of, overlays
//     aside, and no other that the one before has to keep. A block that it has for neither reason has lost its
//     descriptor there, and one that it lacks has a descriptor that is of another block: both are unknown. A block that it
//     lacks the store before has not left alone, unless it was a move's target, so that only where blocks of files may be
//     left alone (rule 11: scoped snapshots) the current bitmap is asked as well. The newest store has no such witness.
//
// Rules 12 and 17 hold for all stores of real volumes that were measured, of Server 2003 to Windows 10.
//
// The format is described by libvshadow and DFIR-ORC; rules 1, 2, 3, 7 and 11 were checked against what the driver
// returned. All values are safe for concurrent use.
package diffstore
