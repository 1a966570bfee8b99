package procnode

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node/api"
)

// readLog streams a container's log as `kubectl logs` asks for it. live says whether more may come.
func readLog(ctx context.Context, path string, o api.ContainerLogOpts, live func() bool) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	since := o.SinceTime
	if o.SinceSeconds > 0 {
		since = time.Now().Add(-time.Duration(o.SinceSeconds) * time.Second)
	}
	r, w := io.Pipe()
	s := &logStream{ctx: ctx, path: path, out: w, since: since, timestamps: o.Timestamps, tail: o.Tail, left: o.LimitBytes, live: live}
	if !o.Follow {
		s.live = func() bool { return false }
	}
	go func() { w.CloseWithError(s.run(f)) }()
	return r, nil
}

// logStream turns log lines back into what the program wrote.
type logStream struct {
	ctx        context.Context
	path       string
	out        *io.PipeWriter
	since      time.Time
	timestamps bool
	tail       int
	left       int // bytes that may still go out; 0: no limit
	live       func() bool

	ring  [][]byte // the last lines while the tail is looked for
	begun bool     // the present line has its timestamp already
}

var errLimit = errors.New("limit reached")

func (s *logStream) run(f *os.File) error {
	if old, err := os.Open(olderPart(s.path)); err == nil {
		_, err = s.lines(bufio.NewReader(old), nil)
		old.Close()
		if err != nil {
			f.Close()
			return end(err)
		}
	}
	return end(s.present(f))
}

func end(err error) error {
	if errors.Is(err, errLimit) {
		return nil
	}
	return err
}

// present reads the present part to its end, then follows it, over turn-overs too.
func (s *logStream) present(f *os.File) error {
	defer func() { f.Close() }()
	b := bufio.NewReader(f)
	rest, err := s.lines(b, nil)
	if err != nil {
		return err
	}
	tail := s.ring
	s.ring, s.tail = nil, 0
	for _, line := range tail {
		if err := s.emit(line); err != nil {
			return err
		}
	}
	for {
		more := s.live()
		if rest, err = s.lines(b, rest); err != nil || !more {
			return err
		}
		if !sleep(s.ctx, 100*time.Millisecond) {
			return nil
		}
		if turned(f, s.path) {
			if _, err = s.lines(b, rest); err != nil {
				return err
			}
			next, err := os.Open(s.path)
			if err != nil {
				return nil // removed with the pod: that is the end of the stream
			}
			f.Close()
			f, rest = next, nil
			b.Reset(f)
		}
	}
}

func turned(f *os.File, path string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && !os.SameFile(a, b)
}

// lines reads whole lines; rest is the beginning of a line whose end is not written yet.
func (s *logStream) lines(b *bufio.Reader, rest []byte) ([]byte, error) {
	for {
		part, err := b.ReadBytes('\n')
		rest = append(rest, part...)
		if err != nil {
			return rest, nil //nolint:nilerr // io.EOF: more may come
		}
		line := rest
		rest = nil
		if s.tail > 0 {
			s.ring = append(s.ring, line)
			if len(s.ring) > s.tail {
				s.ring = s.ring[1:]
			}
			continue
		}
		if err := s.emit(line); err != nil {
			return nil, err
		}
	}
}

func (s *logStream) emit(line []byte) error {
	stamp, text, whole := parseLine(line)
	if !s.since.IsZero() {
		if t, err := time.Parse(time.RFC3339Nano, stamp); err == nil && t.Before(s.since) {
			return nil
		}
	}
	if s.timestamps && !s.begun {
		text = append([]byte(stamp+" "), text...)
	}
	s.begun = !whole
	if whole {
		text = append(text, '\n')
	}
	if s.left > 0 && len(text) >= s.left {
		_, _ = s.out.Write(text[:s.left])
		return errLimit
	}
	n, err := s.out.Write(text)
	if s.left > 0 {
		s.left -= n
	}
	return err
}

// parseLine splits "TIME STREAM F|P text\n".
func parseLine(line []byte) (stamp string, text []byte, whole bool) {
	p := bytes.SplitN(bytes.TrimSuffix(line, []byte("\n")), []byte(" "), 4)
	if len(p) < 4 {
		return "", bytes.Clone(line), false
	}
	return string(p[0]), bytes.Clone(p[3]), string(p[2]) == "F"
}

// lastLines is the end of a log for a terminationMessagePolicy of FallbackToLogsOnError: 80 lines or 2 KiB, whichever is
// smaller (https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/).
func lastLines(path string) string {
	r, err := readLog(context.Background(), path, api.ContainerLogOpts{Tail: 80}, func() bool { return false })
	if err != nil {
		return ""
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return ""
	}
	if len(b) > 2048 {
		b = b[len(b)-2048:]
	}
	return strings.ToValidUTF8(string(b), "")
}
