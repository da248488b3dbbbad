package browse

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"snapmount/mount/selection"
)

// screenOf is a screen without a terminal, which counts how often it was put in order.
type screenOf struct {
	tcell.SimulationScreen
	ended int
}

func (s *screenOf) Fini() {
	if s.ended++; s.ended == 1 {
		s.SimulationScreen.Fini()
	}
}

func simulated(t *testing.T) *screenOf {
	t.Helper()
	s := &screenOf{SimulationScreen: tcell.NewSimulationScreen("UTF-8")}
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	s.SetSize(80, 24)
	return s
}

func (s *screenOf) press(keys string) {
	for _, r := range keys {
		switch r {
		case '\r':
			s.InjectKey(tcell.KeyEnter, 0, tcell.ModNone)
		case '\t':
			s.InjectKey(tcell.KeyTab, 0, tcell.ModNone)
		default:
			s.InjectKey(tcell.KeyRune, r, tcell.ModNone)
		}
	}
}

// shows waits for a text.
func (s *screenOf) shows(t *testing.T, want string) {
	t.Helper()
	for guard := time.Now().Add(time.Minute); time.Now().Before(guard); time.Sleep(5 * time.Millisecond) {
		var b strings.Builder
		for w, h := s.Size(); h > 0; h-- {
			for x := range w {
				text, _, _ := s.Get(x, h-1)
				b.WriteString(text)
			}
		}
		if strings.Contains(b.String(), want) {
			return
		}
	}
	t.Fatalf("the screen never showed %s", want)
}

// TestHung reads what never comes: keys work all the same, and leaving ends it.
func TestHung(t *testing.T) {
	m := opened(t, 80, 24)
	c := m.Config
	begun, ended := make(chan bool), make(chan bool)
	c.Details = func(ctx context.Context, _ *selection.Place, _ io.Writer) error {
		close(begun)
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}
	s := simulated(t)
	left := make(chan error)
	go func() { left <- show(context.Background(), c, s) }()
	s.press("\r")
	s.shows(t, "READ ME")
	s.press("Gi")
	await(t, begun)
	s.press("\t") // out of the details, which end only when they are left
	s.press("q")
	if err := await(t, left); err != nil || s.ended == 0 {
		t.Errorf("%v, put in order %d times", err, s.ended)
	}
	await(t, ended)
}

// TestPanic puts the terminal in order before a panic of a job is one of the program.
func TestPanic(t *testing.T) {
	m := opened(t, 80, 24)
	c := m.Config
	c.Details = func(context.Context, *selection.Place, io.Writer) error { panic("a fault of the program") }
	s := simulated(t)
	said := make(chan any)
	go func() {
		defer func() { said <- recover() }()
		_ = show(context.Background(), c, s)
	}()
	s.press("\r")
	s.shows(t, "READ ME")
	s.press("Gi")
	if p := fmt.Sprint(await(t, said)); !strings.Contains(p, "a fault of the program") || s.ended == 0 {
		t.Errorf("panicked with %s, put in order %d times", p, s.ended)
	}
}

func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(time.Minute):
		t.Fatal("it hangs")
	}
	return v
}

// TestHelp fits screens of any width.
func TestHelp(t *testing.T) {
	for _, w := range []int{40, 60, 80, 200} {
		for _, line := range helpLines(w) {
			if width(line) > w {
				t.Errorf("%d columns: %q is too long", w, line)
			}
		}
	}
}

// TestLateAnswers drops what a job finds after one has moved on.
func TestLateAnswers(t *testing.T) {
	j := &jobs{ctx: context.Background(), back: make(chan func(), 8)}
	var s slot
	got := ""
	release := make(chan bool)
	j.start(&s, func(ctx context.Context, send func(func()) bool) error {
		<-release
		<-ctx.Done()
		send(func() { got += "old " })
		return nil
	}, func(error) { got += "old end " })
	j.start(&s, func(_ context.Context, send func(func()) bool) error {
		send(func() { got += "new " })
		return nil
	}, func(error) { got += "end" })
	close(release)
	j.work.Wait()
	close(j.back)
	for f := range j.back {
		f()
	}
	if got != "new end" || s.busy {
		t.Errorf("%q", got)
	}
}
