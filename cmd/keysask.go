package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"snapmount/cmd/text"
	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/process"
	"snapmount/mount/report"
)

// An asker asks somebody for a secret, who may answer with an empty line.
type asker func(ctx context.Context, question string) (answer string, err error)

// maxTries is how often one volume is asked for.
const maxTries = 3

// asking is what was asked, of each volume by its identifier.
type asking struct {
	tries map[wintype.GUID]int
	last  string // why the last answer is none
	ended error  // why nobody is asked any more
}

// asks makes what points.Options asks for a volume that nothing given unlocks; nil where that is not done. What is shown on
// the terminal is cleared before.
func (k *keyFlags) asks(ctx context.Context, cleared func()) func(string, *bitlocker.LockedError) *bitlocker.Secret {
	if k.ask == nil || len(k.texts) > 0 {
		return nil
	}
	return func(volume string, locked *bitlocker.LockedError) *bitlocker.Secret {
		cleared()
		secrets, err := k.asking.next(ctx, k.ask, text.Printable(volume), locked.Volume)
		if err != nil {
			k.asking.ended = err
		}
		for _, s := range secrets {
			k.list = append(k.list, report.Secret{From: "typed", Secret: s})
		}
		if len(secrets) == 0 {
			return nil
		}
		k.ring.Add(secrets[1:]...)
		return secrets[0]
	}
}

// next asks for a secret of a volume, or the file of some; none leaves it locked.
func (a *asking) next(ctx context.Context, ask asker, name string, v *bitlocker.Volume) ([]*bitlocker.Secret, error) {
	want, ids := wanted(v)
	if a.tries == nil {
		a.tries = map[wintype.GUID]int{}
	}
	if want == "" || a.ended != nil {
		return nil, a.ended
	}
	for ; a.tries[v.ID] < maxTries; a.tries[v.ID]++ {
		head := fmt.Sprintf("%s is encrypted by BitLocker%s.", name, ids)
		if a.tries[v.ID] > 0 {
			head = a.last
		}
		answer, err := ask(ctx, fmt.Sprintf("%s\n%s (Enter leaves it locked): ", head, want))
		if err == nil && answer != "" {
			answer, err = whole(ctx, ask, answer)
		}
		if err != nil || answer == "" {
			a.tries[v.ID] = maxTries
			return nil, err
		}
		secrets, err := secretTyped(ctx, answer, v)
		if err == nil {
			a.tries[v.ID]++
			a.last = fmt.Sprintf("That %s does not open %s%s%s.", secrets[0].Kind(), name, ids, map[bool]string{true: ": a PIN of Windows is none"}[isPIN(answer)])
			return secrets, nil
		}
		a.last = err.Error()
	}
	return nil, nil
}

// wanted says what to type for a volume, and which recovery passwords it has; nothing where typing opens none of it.
func wanted(v *bitlocker.Volume) (want, ids string) {
	var keys, ways []string
	password, startup := false, false
	for _, p := range v.Protectors {
		switch p.Kind.String() {
		case isRecovery:
			keys = append(keys, p.Short())
		case isPassword:
			password = true
		case isStartup:
			startup = true
		}
	}
	if len(keys) > 0 {
		ways, ids = append(ways, isRecovery), fmt.Sprintf(" (recovery key %s)", strings.Join(keys, " or "))
	}
	if password {
		ways = append(ways, isPassword)
	}
	if startup {
		ways = append(ways, "the path of a startup key (.BEK)")
	}
	want = strings.Join(ways, " or ")
	if want != "" {
		want = strings.ToUpper(want[:1]) + want[1:]
	}
	return want, ids
}

// someGroups are several groups of digits as a recovery password has them, perhaps not all eight.
var (
	someGroups = regexp.MustCompile(`^[\s\pP]*[0-9]{6}([\s\pP]+[0-9]{6})+[\s\pP]*$`)
	digitGroup = regexp.MustCompile(`[0-9]+`)
)

// whole asks for the rest of a recovery password that was pasted with a line break in it.
func whole(ctx context.Context, ask asker, answer string) (string, error) {
	for someGroups.MatchString(answer) {
		n := len(digitGroup.FindAllString(answer, -1))
		if n >= 8 {
			break
		}
		more, err := ask(ctx, fmt.Sprintf("%d of 8 groups of a recovery password; the rest (Enter takes that as a password): ", n))
		if err != nil || more == "" {
			return answer, err
		}
		answer += " " + more
	}
	return answer, nil
}

// isPIN reports whether an answer may be what Windows asks for at its start.
func isPIN(answer string) bool { return len(answer) <= 20 && strings.Trim(answer, "0123456789") == "" }

// secretTyped are the secrets that an answer gives: a recovery password where it looks like nothing else, those of the file
// that it names, or a password.
func secretTyped(ctx context.Context, answer string, v *bitlocker.Volume) ([]*bitlocker.Secret, error) {
	secret, err := bitlocker.RecoveryPassword(answer)
	isID := slices.ContainsFunc(v.Protectors, func(p bitlocker.Protector) bool {
		id := p.ID.String()
		return strings.EqualFold(answer, id) || strings.EqualFold(answer, "{"+id+"}") || strings.EqualFold(answer, p.Short())
	})
	if err == nil || isID || bitlocker.LooksLikeRecovery(answer) {
		return []*bitlocker.Secret{secret}, err
	}
	name := strings.Trim(answer, " '\"")
	if bek := strings.EqualFold(filepath.Ext(name), ".bek"); bek || isFile(name) {
		b, err := await(ctx, func() ([]byte, error) { return readLimited(name) })
		var list []*bitlocker.Secret
		if err == nil {
			list, err = bitlocker.ReadKeys(name, b)
		}
		if err == nil || bek {
			return list, err
		}
	}
	return []*bitlocker.Secret{bitlocker.Password(answer)}, nil
}

// interrupted is why the command ends, where that is the answer to a question.
func (k *keyFlags) interrupted() error {
	if errors.Is(k.asking.ended, process.ErrInterrupted) {
		return k.asking.ended
	}
	return nil
}
