package bitlocker

import (
	"fmt"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
)

// A LockedError says that nothing which was given opens a volume. It is a layer.ErrUnsupported.
type LockedError struct {
	Volume *Volume
	Tried  []string // kinds of secrets that were tried and open no protector: "recovery password", "startup key 4381F759"

	pin bool // one could be a PIN of Windows
}

// Is makes it a layer.ErrUnsupported.
func (e *LockedError) Is(target error) bool { return target == layer.ErrUnsupported }

// Error is for people: what was tried, and what to look up, by the protectors that there are.
func (e *LockedError) Error() string {
	return "BitLocker, locked: " + strings.Join(append(e.tried(), e.Wanted()), "; ")
}

// Refused says what was tried and does not open it, for people; nothing where that was nothing.
func (e *LockedError) Refused() string { return strings.Join(e.tried(), "; ") }

// of gives the protectors of a kind.
func (v *Volume) of(kind Kind) (list []Protector) {
	for _, p := range v.Protectors {
		if p.Kind == kind {
			list = append(list, p)
		}
	}
	return list
}

// tried says what does not open it, and why not perhaps.
func (e *LockedError) tried() (say []string) {
	var others []string
	recovery := 0
	for _, t := range e.Tried {
		switch {
		case t == kindRecovery.String():
			recovery++
		case !slices.Contains(others, t):
			others = append(others, t)
		}
	}
	if keys := e.Volume.of(kindRecovery); recovery > 0 {
		var ids []string
		for _, k := range keys {
			ids = append(ids, k.Short())
		}
		end := "belongs to another volume, or two groups are exchanged"
		subject, verb := "the recovery password is well formed, but", "opens"
		if recovery > 1 {
			subject, verb = fmt.Sprintf("%d recovery passwords are well formed, but", recovery), "open"
		}
		switch {
		case len(ids) == 0:
			say = append(say, fmt.Sprintf("%s %s nothing: the volume has no key for one", subject, verb))
		case recovery > 1:
			say = append(say, fmt.Sprintf("%s open none of the keys %s: they belong to other volumes, or groups are exchanged", subject, strings.Join(ids, ", ")))
		case len(ids) == 1:
			say = append(say, fmt.Sprintf("%s does not open the key %s: it %s", subject, ids[0], end))
		default:
			say = append(say, fmt.Sprintf("%s opens none of the keys %s: it %s", subject, strings.Join(ids, ", "), end))
		}
	}
	if n := len(others); n == 1 {
		say = append(say, fmt.Sprintf("the %s opens no protector", others[0]))
	} else if n > 1 {
		say = append(say, fmt.Sprintf("the %s and the %s open no protector", strings.Join(others[:n-1], ", the "), others[n-1]))
	}
	if e.pin {
		say = append(say, "a PIN of Windows is not a BitLocker password")
	}
	return say
}

// Wanted says what opens the volume, for people: "give a recovery password for key 64311DEA (...), or a password".
func (e *LockedError) Wanted() string {
	var ways, ids []string
	for _, p := range e.Volume.of(kindRecovery) {
		ids = append(ids, fmt.Sprintf("%s (%s)", p.Short(), strings.ToUpper(p.ID.String())))
	}
	if len(ids) > 0 {
		ways = append(ways, "a recovery password for key "+strings.Join(ids, " or "))
	}
	if len(e.Volume.of(kindPassword)) > 0 {
		ways = append(ways, "a password")
	}
	for _, p := range e.Volume.of(kindStartup) {
		ways = append(ways, strings.ToUpper(p.ID.String())+".BEK")
	}
	switch n := len(ways); n {
	case 0:
		return e.hopeless()
	case 1:
		return "give " + ways[0]
	default:
		return "give " + strings.Join(ways[:n-1], ", ") + ", or " + ways[n-1]
	}
}

// hopeless says why no secret of an owner opens it.
func (e *LockedError) hopeless() string {
	var kinds []string
	tpm := true
	for _, p := range e.Volume.Protectors {
		if s := p.Kind.String(); !slices.Contains(kinds, s) {
			kinds, tpm = append(kinds, s), tpm && strings.HasPrefix(s, "TPM")
		}
	}
	switch {
	case len(kinds) == 0:
		return "no protector is left, and only a key of the volume opens it"
	case tpm:
		return fmt.Sprintf("only %s protectors: this image cannot be opened without its computer", strings.Join(kinds, " and "))
	}
	return fmt.Sprintf("only protectors that nothing opens here (%s)", strings.Join(kinds, ", "))
}
