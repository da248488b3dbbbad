// Command snapmount opens a Windows disk image and shows its NTFS volumes at every point in time that it keeps.
package main

import (
	"os"

	"snapmount/cmd"
)

func main() { os.Exit(cmd.Program()) }
