package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// mailPorts are those of servers that take mail for delivery elsewhere. Port 25 is not among them: AWS blocks it.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-resource-limits.html#port-25-throttle
var mailPorts = []int{465, 587, 2525}

// mailUser is described at IsMailUser.
var mailUser = regexp.MustCompile(`^[a-z0-9_+-]+(\.[a-z0-9_+-]+)*$`)

// IsMailUser reports whether a text is the part of an address before the @, in lower case because IAM compares ses:FromAddress
// letter by letter.
func IsMailUser(user string) bool { return mailUser.MatchString(user) && len(user) <= 64 }

// HasMail reports whether the environment's region has SES: those in China have not.
func (e Environment) HasMail() bool { return e.Partition() != "aws-cn" }

// defaultSender is the address that mail comes from in an environment of the domain, if it names no other.
func defaultSender(domain string) string { return "noreply@ghost." + domain }

// checkMail checks how an environment's Ghost sends mail.
func checkMail(f field, e Environment) {
	at, m := f.key("ghost").key("mail"), e.Ghost.Mail
	at.key("transport").oneOf(string(m.Transport), string(MailSES), string(MailSMTP), string(MailNone))
	if !slices.Contains(mailPorts, m.Port) {
		at.key("port").add("use 587 (STARTTLS), 465 (TLS) or 2525", "must be a port for mail, got %d", m.Port)
	}
	if m.Transport == MailSES && !e.HasMail() {
		at.key("transport").add("set it to \"smtp\" or \"none\"", "must not be ses in China, where AWS does not have it")
	}
	if f.key("domain").reported() || m.From == defaultSender(e.Domain) {
		return
	}
	user, domain, _ := strings.Cut(m.From, "@")
	switch {
	case !IsMailUser(user) || domain != "localhost" && !isDomain(domain):
		at.key("from").add("give the address alone, in lower case, for example \"blog@dev.example.com\"", "must be a mail address, got %q", m.From)
	case m.Transport == MailSES && domain != e.Domain && !strings.HasSuffix(domain, "."+e.Domain):
		at.key("from").add(fmt.Sprintf("use an address at %s or below it, or set transport to \"smtp\"", e.Domain), "must be in the environment's domain, or SES cannot prove that it is yours, got %q", m.From)
	}
}
