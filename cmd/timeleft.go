package cmd

import (
	"fmt"
	"time"
)

// timeLeft makes a report of progress that has the time left in it, once that can be told.
func timeLeft(report func(what string, done, total int), what string) func(done, total int64) {
	start := time.Now()
	return func(done, total int64) {
		text := what
		if took := time.Since(start); done > 0 && done < total && took > 2*time.Second {
			left := time.Duration(float64(took) / float64(done) * float64(total-done))
			text = fmt.Sprintf("%s, %v left", what, left.Round(time.Second))
		}
		report(text, int(done), int(total))
	}
}
