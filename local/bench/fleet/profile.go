package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

// profileSeconds is how long the processors are watched, from the push on.
const profileSeconds = 40

// profile starts a CPU profile of Flux's controllers, which serve it beside their metrics. The returned function waits
// for the end.
func (b *bench) profile(ctx context.Context, processes map[string]usage) func() error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, name := range []string{sourceController, kustomizeController} {
		wg.Go(func() {
			err := b.download(ctx, processes[name].address, fmt.Sprintf("profile?seconds=%d", profileSeconds), name+".cpu.pprof")
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	return func() error {
		wg.Wait()
		return failed
	}
}

// heaps writes what the controllers hold after a garbage collection.
func (b *bench) heaps(processes map[string]usage) error {
	var failed error
	for _, name := range []string{sourceController, kustomizeController} {
		failed = errors.Join(failed, b.download(context.Background(), processes[name].address, "heap?gc=1", name+".heap.pprof"))
	}
	return failed
}

func (b *bench) download(ctx context.Context, address, what, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/debug/pprof/"+what, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s answers %s", address, response.Status)
	}
	if err := os.MkdirAll(b.Profiles, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.Profiles, file), data, 0o644) //nolint:gosec // figures for everybody to read
}
