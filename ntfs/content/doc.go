// Package content says of a file's bytes what kind of file they are and in which state: whole, open, recoverable,
// incomplete, torn, unknown, spoiled or undecided. It reads through io.ReaderAt and does no other I/O.
//
// Judge looks at one version alone, Compare holds it against an older one, and Choose finds the newest good version of a
// file among all. The rules, in the order in which they speak:
//
//	zeros          the first and last 64 KiB are zero
//	signature      the kind has a signature, and it is gone
//	type changed   the same, but the bytes are a whole file of another known kind: this is for people to decide
//	text           a window of a text has control bytes and bytes that are not UTF-8
//	structure      what the format promises does not hold: checksums, chains, sizes
//	random         a kind without compression looks like random bytes
//	changed places what changed in place since the older version is random now and was not then
//	none           no rule spoke: the signature or the text is there
//
// A window is 4096 bytes; up to 64 are looked at, up to 512 of a pair of versions, and the first and last always. Random
// bytes stand for encrypted ones: no measure separates encrypted from well compressed bytes, so kinds that compress rest
// on their structure, and on what changed in place beside what did not; a database whose pages are all sound may hold what
// it likes, and what fills room that was free is no evidence. Whoever encodes encrypted bytes as letters passes for text.
//
// Everything is bounded: no length that a file claims is allocated before it is read, and what unpacks to far more than
// the file's size is undecided. All functions may be called concurrently.
package content
