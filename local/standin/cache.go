package standin

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// cached sets a key in the cache, and returns what it has then. The cache is found by CACHE_URL and its certificate is checked by
// the authorities of the system. It speaks three commands of the protocol, which is no reason for a library:
// https://valkey.io/topics/protocol/
func (u *uses) cached(ctx context.Context, key, text string) (string, error) {
	address, err := url.Parse(u.getenv("CACHE_URL"))
	if err != nil || address.Scheme != "rediss" {
		return "", errors.New("CACHE_URL: must be rediss://:PASSWORD@HOST:PORT")
	}
	password, _ := address.User.Password()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: address.Hostname(), MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", address.Host)
	if err != nil {
		return "", fmt.Errorf("cache: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	answers, value := bufio.NewReader(conn), ""
	for _, words := range [][]string{{"AUTH", password}, {"SET", key, text, "EX", "60"}, {"GET", key}} {
		if value, err = command(conn, answers, words...); err != nil {
			return "", fmt.Errorf("cache: %s: %w", words[0], err)
		}
	}
	return value, nil
}

// command sends one command, and reads a line or a text.
func command(conn net.Conn, answers *bufio.Reader, words ...string) (string, error) {
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := io.WriteString(conn, request.String()); err != nil {
		return "", err
	}
	line, err := answers.ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	switch {
	case err != nil:
		return "", err
	case strings.HasPrefix(line, "-"):
		return "", errors.New(line[1:])
	case !strings.HasPrefix(line, "$"):
		return strings.TrimPrefix(line, "+"), nil
	}
	length, err := strconv.Atoi(line[1:])
	if err != nil || length < 0 || length > 1<<20 {
		return "", fmt.Errorf("the key has no value: %s", line)
	}
	text := make([]byte, length+2)
	_, err = io.ReadFull(answers, text)
	return string(text[:length]), err
}
