// Package attack finds out what an attack on the files of a volume did, as ransomware does, and the last good version of
// each file, from the volume's points in time.
//
// The evidence of the volume as a whole (burst.go, note.go, span.go) is in file records: many files of a folder that got
// the same new extension between two neighbouring points, that were rewritten, or that are gone; one small text that is new in many
// folders; and when the records say that it was. Ordinary life makes such bursts too: only the content of the files, which
// package content judges, makes an attack of one.
//
// sweep.go goes over all records once and keeps the files that are not the same at all points; link.go joins those that
// took the place of others; judge.go has what is there now judged against what was, and chooses.
package attack
