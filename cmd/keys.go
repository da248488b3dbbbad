package cmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// keysVariable names a file of keys, as --key-file does.
const keysVariable = "SNAPMOUNT_KEYS"

// maxKeyFile is how much of a file of keys is read: bitlocker.ReadKeys takes less, and tells.
const maxKeyFile = 1<<20 + 1

// keyFlags say what unlocks encrypted volumes.
type keyFlags struct {
	files    []string // of keys
	recovery []string // recovery passwords
	password string   // a file that begins with a password

	in     io.Reader // of this process
	out    io.Writer // its standard error
	ask    asker     // asks for what is not given, or nil
	asking asking

	locked []*bitlocker.LockedError // volumes that are not open
	opened bool                     // one is
	other  *points.Volume           // one that is, without NTFS on it

	texts []keyText // what is given, once that was read; not nil then
	list  []report.Secret
	ring  *bitlocker.Keyring // of list
}

// keyText is a secret, or a file of them, as it was given.
type keyText struct {
	From string // the flag, or the file
	Kind string // "recovery" or "password"; empty for what a file of keys holds
	Text []byte
}

func (k *keyFlags) add(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringArrayVar(&k.files, "key-file", nil, "a `FILE` that unlocks volumes: a startup key (.BEK), or recovery passwords, passwords, and keys in hex, a line each; - is standard input (may be repeated)")
	f.StringArrayVar(&k.recovery, "recovery-key", nil, "a recovery password of BitLocker, 48 `DIGITS` in quotes or joined by dashes; - is standard input (may be repeated)")
	f.StringVar(&k.password, "password-file", "", "a `FILE` whose first line is a password of BitLocker; - is standard input")
	inGroup(f, groupLocked, "key-file", "recovery-key", "password-file")
}

// begin has questions asked on the terminal of a command, where it has one.
func (k *keyFlags) begin(c *cobra.Command) {
	k.in, k.out = c.InOrStdin(), c.ErrOrStderr()
	if terminal, ok := text.CanAsk(k.in, k.out); ok {
		k.ask = func(ctx context.Context, question string) (string, error) {
			return text.AskHidden(ctx, terminal, k.out, question)
		}
	}
}

// silent has nobody asked, and leaves standard input alone: what is completed is no answer.
func (k *keyFlags) silent() {
	k.ask = nil
	if k.password == "-" {
		k.password = ""
	}
	dash := func(s string) bool { return s == "-" }
	k.recovery, k.files = slices.DeleteFunc(k.recovery, dash), slices.DeleteFunc(k.files, dash)
}

// dashes counts the flags that want standard input.
func (k *keyFlags) dashes() (n int) {
	for _, s := range append(append([]string{k.password}, k.recovery...), k.files...) {
		if s == "-" {
			n++
		}
	}
	return n
}

// read reads what the flags and the environment name, once. Its errors are those of secrets: nothing else was opened yet.
func (k *keyFlags) read(ctx context.Context) error {
	if k.texts != nil {
		return nil
	}
	k.texts = []keyText{}
	if n := k.dashes(); n > 1 {
		return usagef("standard input (-) is for one secret, want %d files", n-1)
	}
	for _, r := range k.recovery {
		given := []byte(r)
		if r == "-" {
			line, err := k.line(ctx, "--recovery-key", r, "Recovery password: ")
			if given = line; err != nil {
				return err
			}
		}
		k.texts = append(k.texts, keyText{"--recovery-key", isRecovery, given})
	}
	file := func(from, name string) error {
		b, err := await(ctx, func() ([]byte, error) {
			if name == "-" {
				return io.ReadAll(io.LimitReader(k.in, maxKeyFile))
			}
			return readLimited(name)
		})
		if err == nil && name == "-" {
			name = "standard input"
		}
		k.texts = append(k.texts, keyText{From: name, Text: b})
		return keyFileError(from, name, err)
	}
	for _, name := range k.files {
		if err := file("--key-file", name); err != nil {
			return err
		}
	}
	if name := os.Getenv(keysVariable); name != "" {
		if err := file(keysVariable, name); err != nil {
			return err
		}
	}
	if k.password != "" {
		line, err := k.line(ctx, "--password-file", k.password, "Password: ")
		if err != nil {
			return err
		}
		if _, bad := bitlocker.RecoveryPassword(string(line)); bad == nil {
			text.NewReporter(k.out).Line("--password-file: the first line is a recovery password, and tried as that too")
		}
		k.texts = append(k.texts, keyText{"--password-file", isPassword, line})
	}
	return k.make()
}

// Kinds of protectors, the first two those of a keyText too.
const (
	isRecovery = "recovery password"
	isPassword = "password"
	isStartup  = "startup key"
)

// make makes a ring of what was given.
func (k *keyFlags) make() error {
	k.ring = bitlocker.NewKeyring()
	for _, t := range k.texts {
		list, err := t.secrets()
		if err != nil {
			return usageError{Err: err}
		}
		k.ring.Add(list...)
		for _, s := range list {
			k.list = append(k.list, report.Secret{From: t.From, Secret: s})
		}
	}
	return nil
}

// secrets are those of a text.
func (t keyText) secrets() ([]*bitlocker.Secret, error) {
	switch t.Kind {
	case isPassword:
		list := []*bitlocker.Secret{bitlocker.Password(string(t.Text))}
		if s, bad := bitlocker.RecoveryPassword(string(t.Text)); bad == nil {
			list = append(list, s)
		}
		return list, nil
	case isRecovery:
		s, err := bitlocker.RecoveryPassword(string(t.Text))
		switch name := string(t.Text); {
		case err == nil:
			return []*bitlocker.Secret{s}, nil
		case strings.EqualFold(filepath.Ext(name), ".bek"), isFile(name):
			return nil, fmt.Errorf("%s %s: that is a file, which is for --key-file", t.From, name)
		}
		return nil, fmt.Errorf("%s: %w", t.From, err)
	}
	return bitlocker.ReadKeys(t.From, t.Text)
}

// note takes note of what is open, and what is not.
func (k *keyFlags) note(s *points.Set) {
	for _, v := range s.Volumes {
		if v.Encryption == nil {
			continue
		}
		k.opened = k.opened || v.Encryption.Unlocked != nil
		if v.Encryption.Unlocked != nil && v.Filesystem != "ntfs" {
			k.other = v
		}
		if locked, ok := errors.AsType[*bitlocker.LockedError](v.Encryption.Err); ok {
			k.locked = append(k.locked, locked)
		}
	}
}

// warnSeen warns of secrets on the command line of a process that others can look at for long.
func (k *keyFlags) warnSeen(w io.Writer) {
	if len(k.recovery) > 0 {
		text.NewReporter(w).Line("other users of this machine can see --recovery-key while this runs: --key-file FILE keeps it from them")
	}
}

// wipe overwrites what can be, when no volume is to be unlocked any more.
func (k *keyFlags) wipe() {
	k.ring.Wipe()
	for _, t := range k.texts {
		clear(t.Text)
	}
}

// take takes what the process that started this one read of its flags.
func (k *keyFlags) take(b []byte) error {
	k.texts = []keyText{}
	if err := json.Unmarshal(b, &k.texts); err != nil {
		return fmt.Errorf("secrets of the process that started this one: %w", err)
	}
	clear(b)
	return k.make()
}

// again are the flags that give the same once more, without secrets among them.
func (k *keyFlags) again() (args []string) {
	for range k.recovery {
		args = append(args, "--recovery-key", unsaid)
	}
	for _, name := range k.files {
		args = append(args, "--key-file", name)
	}
	if k.password != "" {
		args = append(args, "--password-file", k.password)
	}
	return args
}

// line reads the first line of a file that a flag names, or of standard input; on a terminal it is asked for, and not shown.
func (k *keyFlags) line(ctx context.Context, flag, name, question string) ([]byte, error) {
	from := flag + " " + name
	if terminal, ok := text.CanAsk(k.in, k.out); ok && name == "-" {
		line, err := text.AskHidden(ctx, terminal, k.out, question)
		return []byte(line), err
	}
	b, err := await(ctx, func() ([]byte, error) {
		if name != "-" {
			return readLimited(name)
		}
		line, err := bufio.NewReader(io.LimitReader(k.in, maxKeyFile)).ReadBytes('\n') // whoever writes more may wait for us
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	})
	if err != nil {
		return nil, keyFileError(flag, name, err)
	}
	if utf16, ok := bytes.CutPrefix(b, []byte("\xff\xfe")); ok { // as Windows saves text
		b = []byte(wintype.DecodeUTF16(append(utf16, 0)[:(len(utf16)+1)&^1]))
	}
	line, _, ended := bytes.Cut(bytes.TrimPrefix(b, []byte("\ufeff")), []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case len(line) == 0:
		return nil, usagef("%s: the first line is empty", from)
	case !ended && len(b) == maxKeyFile, !utf8.Valid(line):
		return nil, usagef("%s: does not begin with a line of text in UTF-8", from)
	}
	return line, nil
}

// keyFileError says why a file of keys cannot be read, which may be what another flag takes. What is no file may be a secret,
// and is not said again.
func keyFileError(from, name string, err error) error {
	if err == nil {
		return nil
	}
	if _, bad := bitlocker.RecoveryPassword(name); bad == nil {
		return usagef("%s: want a file; a recovery password itself is for --recovery-key", from)
	}
	if p, ok := errors.AsType[*os.PathError](err); ok {
		err = p.Err
	}
	switch shown := fileNamed(from, name); {
	case shown != "":
		return fmt.Errorf("%s %s: %w", from, name, err)
	case from == keysVariable:
		return fmt.Errorf("%s: no such file (it names one): %w", from, err)
	}
	return usagef("%s: no such file (it wants a file; a secret on the command line is seen by all)", from)
}

// readLimited reads a file, and one that is too large only so far.
func readLimited(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxKeyFile))
}

// await does what may wait for somebody, as long as ctx lasts.
func await(ctx context.Context, read func() ([]byte, error)) (b []byte, err error) {
	done := make(chan struct{})
	var got []byte
	var failed error
	go func() {
		got, failed = read()
		close(done)
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-done:
		return got, failed
	}
}
