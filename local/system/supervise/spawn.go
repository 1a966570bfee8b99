package supervise

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// openLog opens a log for appending, so that several writers and a truncation
// by rotate do no harm.
func openLog(folder, name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(folder, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// logLimit is the size in bytes above which a log is rotated; one older log is
// kept beside it.
const logLimit = 20 << 20

// rotate copies a log that is too large to NAME.log.1 and truncates it. The
// processes write to the file itself, not through the supervisor, so that no
// line is lost when the supervisor dies; hence copy and truncate.
func rotate(folder, name string, limit int64) error {
	path := filepath.Join(folder, name+".log")
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() <= limit {
		return nil
	}
	if err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path+".1", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	if terr := os.Truncate(path, 0); err == nil {
		err = terr
	}
	return err
}

// detach starts a command that outlives this process: its own session, no
// terminal, its output in its log.
func detach(command []string, env []string, logs, name string) (*exec.Cmd, error) {
	log, err := openLog(logs, name)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(command[0], command[1:]...) //nolint:gosec // the plan's own command
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, env
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, cmd.Start()
}
