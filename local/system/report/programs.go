package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system/layout"
)

// running are the programs of the system; none before the first `up` has them.
func running(d *layout.Dir) ([]programs.Binary, error) {
	raw, err := os.ReadFile(d.Programs())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var all []programs.Binary
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	return all, err
}

// Origins says how many of the programs are compiled, and how many are out of released images.
func Origins(all []programs.Binary) string {
	images := 0
	for _, b := range all {
		if b.Image != nil {
			images++
		}
	}
	if images == 0 {
		return fmt.Sprintf("%d, compiled", len(all))
	}
	return fmt.Sprintf("%d, %d out of images", len(all), images)
}
