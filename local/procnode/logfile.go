package procnode

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const (
	// maxLog is the size at which a log is turned over; one older part is kept. A kubelet keeps 5 parts of 10 MiB.
	maxLog  = 10 << 20
	maxLine = 16 << 10 // a longer line is written in parts, as the container runtime interface does
)

// logFile writes a container's output in the format of the container runtime interface, "TIME STREAM F|P line", so that
// --timestamps and --since work.
type logFile struct {
	mu   sync.Mutex
	path string
	f    *os.File
	size int64
	max  int64
}

// logPath is where the output of a container's n-th run lies.
func logPath(podDir, container string, n int32) string {
	return filepath.Join(podDir, "logs", container, strconv.Itoa(int(n))+".log")
}

// olderPart is the part before the last turn-over.
func olderPart(path string) string { return path + ".1" }

func createLog(path string) (*logFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &logFile{path: path, f: f, max: maxLog}, nil
}

// removeOldLogs keeps the present run and the one before it.
func removeOldLogs(podDir, container string, n int32) {
	for i := n - 2; i >= 0 && i > n-5; i-- {
		_ = os.Remove(logPath(podDir, container, i))
		_ = os.Remove(olderPart(logPath(podDir, container, i)))
	}
}

// copy writes everything that r yields as lines of a stream.
func (l *logFile) copy(stream string, r io.Reader) {
	b := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 {
			l.write(stream, line)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

func (l *logFile) write(stream string, line []byte) {
	tag := " P "
	if bytes.HasSuffix(line, []byte("\n")) {
		tag, line = " F ", line[:len(line)-1]
	}
	out := make([]byte, 0, len(line)+64)
	out = time.Now().UTC().AppendFormat(out, time.RFC3339Nano)
	out = append(out, ' ')
	out = append(out, stream...)
	out = append(out, tag...)
	out = append(out, line...)
	out = append(out, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+int64(len(out)) > l.max {
		l.turn()
	}
	n, _ := l.f.Write(out) // a full disk loses output, not the program
	l.size += int64(n)
}

func (l *logFile) turn() {
	if err := os.Rename(l.path, olderPart(l.path)); err != nil {
		return
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	l.f.Close()
	l.f, l.size = f, 0
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.f.Close()
}
