package process

import (
	"fmt"
	"os/exec"

	"snapmount/imagefmt/layer"
)

func detach(*exec.Cmd) error {
	return fmt.Errorf("going on in the background on Windows: %w", layer.ErrUnsupported)
}
