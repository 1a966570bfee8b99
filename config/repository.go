package config

// Verifies reports whether commits must be signed.
func (r Repository) Verifies() bool { return len(r.Verify) > 0 }

// URL is the repository's HTTPS address on GitHub, which an environment uses unless it names its own.
func (r Repository) URL() string {
	return "https://github.com/" + r.Owner + "/" + r.Name + ".git"
}

// Credentials says how Flux signs in to Git.
type Credentials string

// The values of Repository.Credentials; Flux documents the Secret of each at
// https://fluxcd.io/flux/components/source/gitrepositories/#secret-reference.
const (
	CredentialsNone      Credentials = "none"
	CredentialsBasic     Credentials = "basic"
	CredentialsGitHubApp Credentials = "githubApp"
	CredentialsSSH       Credentials = "ssh"
)
