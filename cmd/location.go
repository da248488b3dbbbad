package cmd

import "github.com/spf13/cobra"

const locationText = `A LOCATION names what is in an image, for all commands that look into one:

  IMAGE[@layer:NAME][:VOLUME][@POINT][:PATH]

IMAGE is a file or a disk. It may hold ':' and '@': the longest path that is
there is the image. @layer:NAME is an earlier state of it, such as the file that
it stands on or a snapshot inside of it; "snapmount info" numbers and names
them.

VOLUME is its number (2 or p2), its label, or both as "snapmount ls IMAGE" tells
them. Without one it is the volume that has the path at that point; several are
all shown by ls, stat, find and history, and are an error to commands that want
one. C: is taken as Windows would have it.

POINT is latest, oldest, current, vss2, a time, or the start of a shadow copy's
id ("snapmount help times"). Without one it is the volume as it is now; find,
history and timeline then take all points.

PATH takes / and \, and letters in the case of the volume's own table: upper and
lower case are the same. FILE:STREAM is a named stream of a file. #RECORD is the
file with that number in the $MFT, which no directory need lead to, and
#RECORD:STREAM a stream of it. In a pattern of find, restore and undelete * is
any name, ** any directories and ? a character. A NUL or a slash in a name is
%00 or %2F.

A path in a mount of this program is a LOCATION too. So is a file in an image
that is an image again: a PATH may go on with : or / inside of it.

Quotes. Shells take spaces, \, $, #, (, ), *, ? and ' for themselves:

  bash, zsh, fish  'disk.vhdx@2026-03-03 18:00:\Users\ann\*.docx'
                   for a ' in a name: 'it'\''s.txt'
  PowerShell       'disk.vhdx@latest:/Users'; for a ' in a name: ''
                   @ at the start of a word needs quotes: '@oldest'
  cmd.exe          "disk.vhdx@latest:/Users/ann/my file.txt"

Keys. With completion ("snapmount help completion") the key Tab goes through
images, volumes, points and paths.`

const locationExample = `  snapmount ls demo.qcow2                          its volumes
  snapmount ls demo.qcow2:p1                       the root of one
  snapmount ls 'demo.qcow2@latest:\letters'        as a snapshot has it
  snapmount cat demo.qcow2@vss1:/Letters/offer.txt
  snapmount ls -l demo.qcow2:1@2026-03-03:/Letters
  snapmount stat 'demo.qcow2:p1-Documents:#5'      a file record
  snapmount diff demo.qcow2:p1 @oldest @latest     two points`

// newLocation is a topic of help.
func newLocation() *cobra.Command {
	return &cobra.Command{Use: "location", Short: "How to write what is in an image: LOCATION", Long: locationText, Example: locationExample}
}
