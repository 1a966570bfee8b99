package mailbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lines is a message with the ends of lines that mail has.
func lines(text ...string) []byte { return []byte(strings.Join(text, "\r\n") + "\r\n") }

func TestKeepAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	if all, err := Read(dir); err != nil || len(all) != 0 {
		t.Fatalf("without a folder: %v, %v", all, err)
	}
	head := []string{"From: Blog <noreply@ghost.localhost>", "To: a@example.com", "Subject: =?UTF-8?Q?Caf=C3=A9?=", "MIME-Version: 1.0"}
	for _, raw := range [][]byte{
		lines(append(head, "Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: base64", "", "PHA+SMOpbGxv", "PC9wPg==")...),
		lines(append(head, `Content-Type: multipart/alternative; boundary="x"`, "", "--x", "Content-Type: text/html", "", "<p>no</p>",
			"--x", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "", "one =3D", "two=", " three", "--x--")...),
	} {
		if err := Keep(dir, raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "half"), []byte("From: x"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := Read(dir)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if m := all[0]; m.From != "Blog <noreply@ghost.localhost>" || m.To != "a@example.com" || m.Subject != "Café" || m.Text != "<p>Héllo</p>" || m.Time.IsZero() {
		t.Errorf("%+v", m)
	}
	if got := all[1].Text; got != "one =\ntwo three" {
		t.Errorf("the text is %q", got)
	}
}

func TestReadNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	if err := Keep(dir, []byte("no header\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), extension) {
		t.Errorf("got %v, want the file's name", err)
	}
}
