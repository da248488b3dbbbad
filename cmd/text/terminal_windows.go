package text

import (
	"os"

	"golang.org/x/sys/windows"
)

func terminalWidth(f *os.File) int {
	var info windows.ConsoleScreenBufferInfo
	if windows.GetConsoleScreenBufferInfo(windows.Handle(f.Fd()), &info) != nil {
		return 0
	}
	return int(info.Window.Right-info.Window.Left) + 1
}

// showsColours asks the console to act on control sequences, which those of old do not know.
func showsColours(f *os.File) bool {
	h, mode := windows.Handle(f.Fd()), uint32(0)
	return windows.GetConsoleMode(h, &mode) == nil && windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}

// typesTo reports whether a file is a console.
func typesTo(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil
}

// hideTyping has a console not show what is typed, until the function that it returns is called.
func hideTyping(f *os.File) (restore func(), err error) {
	h, was := windows.Handle(f.Fd()), uint32(0)
	if err := windows.GetConsoleMode(h, &was); err != nil {
		return nil, err
	}
	hidden := was&^windows.ENABLE_ECHO_INPUT | windows.ENABLE_LINE_INPUT | windows.ENABLE_PROCESSED_INPUT
	if err := windows.SetConsoleMode(h, hidden); err != nil {
		return nil, err
	}
	return func() { _ = windows.SetConsoleMode(h, was) }, nil // a console that is gone shows nothing
}
