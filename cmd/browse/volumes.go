package browse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"snapmount/imagefmt/bitlocker"
	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// volumes is the first view: what the images hold.
type volumes struct {
	cursor
	notes  scroller // what is wrong
	unlock slot
}

func newVolumes(m *model) *volumes {
	v := &volumes{}
	v.resized(m)
	return v
}

func (v *volumes) title(m *model) string {
	if len(m.Set.Images) == 1 {
		return m.Set.Images[0].Path
	}
	return fmt.Sprintf("%d images", len(m.Set.Images))
}

func (v *volumes) hints() string {
	return "? help  q quit  Enter open  U unlock  R restore what is marked"
}

func (v *volumes) slots() []*slot { return []*slot{&v.unlock} }

func (v *volumes) resized(m *model) {
	v.notes.lines = nil
	for _, line := range m.Set.Warnings() {
		v.notes.add(changed, m.w, m.safe("warning: "+line))
	}
}

// listed is how many lines are for volumes: what is wrong is below.
func (v *volumes) listed(m *model) int {
	return max(min(len(m.Set.Volumes), m.high()-1-min(len(v.notes.lines)+1, m.high()/2)), 1)
}

func (v *volumes) draw(m *model, g *grid) {
	w := m.w - 32
	g.put(0, 1, bold, pad("  Volume", w)+padLeft("Size", 9)+"  "+pad("Holds", 12)+padLeft("Points", 8))
	high := v.listed(m)
	v.clamp(len(m.Set.Volumes), high)
	for i := range high {
		if v.top+i >= len(m.Set.Volumes) {
			break
		}
		x := m.Set.Volumes[v.top+i]
		mark, holds, count, look := " ", x.Filesystem, fmt.Sprint(len(x.Snapshots())+1), plain
		switch {
		case x.Locked() != nil:
			mark, holds, count, look = "!", "LOCKED", "?", fault
		case x.Filesystem == "":
			mark, holds, count, look = "?", "unknown", "-", dim
		case x.Filesystem != "ntfs":
			count, look = "-", dim
		case x.Damage != nil:
			mark, look = "!", changed
		}
		line := mark + " " + pad(m.safe(x.Name), w-2) + padLeft(sized(x.Partition.Len), 9) + "  " + pad(holds, 12) + padLeft(count, 8)
		if v.top+i == v.at {
			look |= reverse
		}
		g.put(0, 2+i, look, pad(line, m.w))
	}
	v.notes.draw(g, 3+high, m.high()-high-2)
}

func (v *volumes) status(m *model) (string, style) {
	if v.unlock.busy {
		return "opening the images with that key ...", bold
	}
	x := v.chosen(m)
	if x == nil {
		return "no volume was found; scan looks at every sector", fault
	}
	if err := x.Locked(); err != nil {
		return m.safe(report.OneLine(err)), fault
	}
	if x.Damage != nil {
		return m.safe("snapshots are missing: " + report.OneLine(x.Damage)), fault
	}
	return m.safe(fmt.Sprintf("label %q, %d bytes, in %s", x.Label, x.Partition.Len, x.Image.Path)), plain
}

func (v *volumes) chosen(m *model) *points.Volume {
	if v.at >= len(m.Set.Volumes) {
		return nil
	}
	return m.Set.Volumes[v.at]
}

func (v *volumes) key(m *model, key string) bool {
	if v.move(key, len(m.Set.Volumes), v.listed(m)) {
		return true
	}
	x := v.chosen(m)
	switch {
	case x == nil:
		return false
	case key == "U", (key == "enter" || key == "l") && x.Locked() != nil:
		v.askKey(m, x)
	case key == "enter" || key == "l":
		v.open(m, x)
	default:
		return false
	}
	return true
}

func (v *volumes) open(m *model, x *points.Volume) {
	if x.Filesystem != "ntfs" {
		m.fail(fmt.Errorf("%s: holds no NTFS, whose files could be shown", x.Name))
		return
	}
	m.push(newDir(m, folder.InTime(x), len(x.Snapshots()), "/"))
}

// askKey asks for what unlocks a volume.
func (v *volumes) askKey(m *model, x *points.Volume) {
	locked, ok := error(nil), false
	if x.Encryption != nil {
		_, ok = errors.AsType[*bitlocker.LockedError](x.Encryption.Err)
		locked = x.Encryption.Err
	}
	switch {
	case x.Locked() == nil:
		m.say("%s is not locked", x.Name)
		return
	case !ok:
		m.fail(locked)
		return
	}
	m.ask("Key of "+m.safe(x.Name)+": recovery password, password, or a .BEK file (Esc gives up)", "", func(secret string) {
		if strings.TrimSpace(secret) == "" {
			return
		}
		var set *points.Set
		m.jobs.start(&v.unlock, func(ctx context.Context, send func(func()) bool) (err error) {
			opened, err := m.Unlock(ctx, x, secret)
			send(func() { set = opened })
			return err
		}, func(err error) {
			if err != nil {
				m.fail(err)
				return
			}
			m.chosen.clear() // it was of the set before
			m.Set = set
			v.resized(m)
			m.say("%s is unlocked; the key stays in memory until snapmount ends", x.Name)
		})
	})
	m.prompt.hidden = true
}
