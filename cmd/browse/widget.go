package browse

// A cursor is where one is in a list of any length: only what the screen shows is ever looked at.
type cursor struct {
	at, top int // rows
}

// move takes a key that moves in a list of n rows, of which the screen shows high, and reports whether it is one.
func (c *cursor) move(key string, n, high int) bool {
	switch key {
	case "up", "k":
		c.at--
	case "down", "j":
		c.at++
	case "pgup", "ctrl+b":
		c.at -= max(high-1, 1)
	case "pgdn", "ctrl+f":
		c.at += max(high-1, 1)
	case "home", "g":
		c.at = 0
	case "end", "G":
		c.at = n - 1
	default:
		return false
	}
	c.clamp(n, high)
	return true
}

// clamp keeps the cursor on the list, and on the screen.
func (c *cursor) clamp(n, high int) {
	c.at = max(min(c.at, n-1), 0)
	c.top = max(min(c.top, c.at), c.at-high+1, 0)
	c.top = max(min(c.top, n-high), 0)
}

// A textLine is a line of a text that is scrolled.
type textLine struct {
	look style
	text string // safe
}

// A scroller shows lines from one on.
type scroller struct {
	lines []textLine
	top   int
}

// move takes a key that scrolls.
func (s *scroller) move(key string, high int) bool {
	switch key {
	case "up", "k":
		s.top--
	case "down", "j":
		s.top++
	case "pgup", "ctrl+b":
		s.top -= max(high-1, 1)
	case "pgdn", "ctrl+f", " ":
		s.top += max(high-1, 1)
	case "home", "g":
		s.top = 0
	case "end", "G":
		s.top = len(s.lines)
	default:
		return false
	}
	s.clamp(high)
	return true
}

func (s *scroller) clamp(high int) { s.top = max(min(s.top, len(s.lines)-high), 0) }

// draw shows the lines in a part of the screen.
func (s *scroller) draw(g *grid, y, high int) {
	s.clamp(high)
	for i := range high {
		if s.top+i < len(s.lines) {
			l := s.lines[s.top+i]
			g.put(0, y+i, l.look, l.text)
		}
	}
}

// add adds a text, folded to a width.
func (s *scroller) add(look style, w int, text string) {
	for _, line := range wrap(text, w) {
		s.lines = append(s.lines, textLine{look, line})
	}
}
