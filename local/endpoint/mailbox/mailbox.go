// Package mailbox keeps the mail that the local system sends: one file per message, as it was sent. Nothing is delivered.
package mailbox

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Message is one message.
type Message struct {
	Time    time.Time `json:"time"` // when it was kept
	From    string    `json:"from"` // addresses as in the headers
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	// Text is the plain text, or HTML where there is no other.
	Text string `json:"text"`
}

// extension ends the names of files.
const extension = ".eml"

// Keep stores a message.
func Keep(dir string, raw []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// A reader must not find half a message: the name comes last.
	file, err := os.CreateTemp(dir, time.Now().UTC().Format("20060102T150405.000000000")+"-*")
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), file.Name()+extension)
}

// Read returns all messages, the oldest first.
func Read(dir string) ([]Message, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := []Message{}
	for _, e := range entries { // sorted by name, which begins with the time
		if filepath.Ext(e.Name()) != extension {
			continue
		}
		m, err := open(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, e.Name()), err)
		}
		all = append(all, m)
	}
	return all, nil
}

func open(name string) (Message, error) {
	file, err := os.Open(name)
	if err != nil {
		return Message{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Message{}, err
	}
	parsed, err := mail.ReadMessage(file)
	if err != nil {
		return Message{}, err
	}
	m := Message{Time: info.ModTime(), From: parsed.Header.Get("From"), To: parsed.Header.Get("To")}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
		return Message{}, err
	}
	parts, err := texts(parsed.Header.Get("Content-Type"), parsed.Header.Get("Content-Transfer-Encoding"), parsed.Body)
	for _, kind := range []string{"text/plain", "text/html"} {
		if m.Text == "" {
			m.Text = parts[kind]
		}
	}
	return m, err
}

// texts returns the first part of each type of text, through all levels.
func texts(contentType, encoding string, body io.Reader) (map[string]string, error) {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	if !strings.HasPrefix(kind, "multipart/") {
		switch strings.ToLower(encoding) {
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, body)
		case "quoted-printable":
			body = quotedprintable.NewReader(body)
		}
		content, err := io.ReadAll(body)
		found[kind] = string(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
		return found, err
	}
	for reader := multipart.NewReader(body, parameters["boundary"]); ; {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		inner, err := texts(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part)
		if err != nil {
			return nil, err
		}
		for kind, text := range inner {
			if found[kind] == "" {
				found[kind] = text
			}
		}
	}
}
