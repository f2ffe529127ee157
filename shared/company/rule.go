package company

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/mail"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // 0.4 MB: a time zone must not be right on a laptop and wrong in a bare container
	"unicode"
	"unicode/utf8"
)

// rule judges a text: "" if it is good, else "is ...; expected ...".
type rule func(string) string

// expect makes a rule of a test and of what it expects.
func expect(expected string, good func(string) bool) rule {
	return func(s string) string {
		if good(s) {
			return ""
		}
		return fmt.Sprintf("is %s; expected %s", quote(s), expected)
	}
}

// form makes a rule of a regular expression, which must match the whole text.
func form(expected, expr string) rule {
	return expect(expected, regexp.MustCompile(`^(?:`+expr+`)$`).MatchString)
}

func among[T ~string](options []T) rule {
	return expect(oneOf(options), func(s string) bool { return slices.Contains(options, T(s)) })
}

// line allows one line of text, for names and the like that go into headers,
// lists and logs.
func line(most int) rule {
	return limited(most, "one line of text", func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}

// prose allows text of several lines.
func prose(most int) rule {
	return limited(most, "text", func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
}

func limited(most int, what string, refused func(rune) bool) rule {
	return func(s string) string {
		switch n := utf8.RuneCountInString(strings.TrimSpace(s)); {
		case n == 0:
			return "is empty; expected " + what
		case n > most:
			return fmt.Sprintf("has %d characters; expected at most %d", n, most)
		case strings.ContainsFunc(s, refused):
			return fmt.Sprintf("is %s; expected %s without control characters", quote(s), what)
		}
		return ""
	}
}

// slugForm is the grammar of a project id and of all that is named like one.
const slugForm = `[a-z][a-z0-9]*(?:-[a-z0-9]+)*`

func slug(least, most int) rule {
	expected := fmt.Sprintf("%d to %d of a-z 0-9 -, starting with a letter, with no double hyphen", least, most)
	shape := regexp.MustCompile(`^` + slugForm + `$`)
	return expect(expected, func(s string) bool {
		return len(s) >= least && len(s) <= most && shape.MatchString(s)
	})
}

var (
	anAssistantID = slug(2, 40)
	aGroup        = slug(2, 40)
	anArticleID   = form("1 to 100 of letters, digits and - _ ., starting with a letter or digit", `[A-Za-z0-9][A-Za-z0-9._-]{0,99}`)
	aColor        = form("#rrggbb, such as #0b5fff", `#[0-9A-Fa-f]{6}`)
	aLocale       = form("a language tag, such as en-US", `(?i:[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)`)
	aTimezone     = expect("an IANA time zone, such as America/Chicago", isTimezone)
	aLogo         = expect("the path of an image in this folder, such as logo.svg", isImage)
	anEmail       = expect("an address, such as jo@example.com", isEmail)
	aToolName     = form("1 to 40 of a-z _", `[a-z_]{1,40}`)
	aModel        = form("provider/model with provider anthropic, openai or bedrock, or extract", `extract|(anthropic|openai|bedrock)/[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}`)
	aPage         = expect("an address that begins with https:// or http://", func(s string) bool { return isWeb(s, "https", "http") })
	aCallback     = expect("an address that begins with https://, without user or password", isCallback)
)

// What belongs to a silo.
var (
	aTable   = form("the name of a DynamoDB table", `[A-Za-z0-9_.-]{3,255}`)
	aBucket  = form("the name of an S3 bucket", `[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]`)
	aRoleARN = form("the ARN of an IAM role", `arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,200}`)
	aKMSKey  = form("the ARN, alias or id of a KMS key", `arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]{1,200}|alias/[A-Za-z0-9/_-]{1,200}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
)

var secretForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,63}$`)

// aSecretName does not repeat what was written: it may be the secret itself, and
// a mistake is printed in a build log.
func aSecretName(s string) string {
	if secretForm.MatchString(s) {
		return ""
	}
	return "is not the name of a secret; expected capitals, digits and _, such as WEBHOOK_SECRET, and never the secret itself"
}

// endpoint allows the name of a secret, or an address of one of the schemes that
// carries no password. What was written may carry one, so it is not repeated.
func endpoint(schemes ...string) rule {
	complaint := fmt.Sprintf("is not allowed; expected the name of a secret, or an address of scheme %s without user or password", oneOf(schemes))
	return func(s string) string {
		if secretForm.MatchString(s) || isWeb(s, schemes...) {
			return ""
		}
		return complaint
	}
}

func isTimezone(s string) bool {
	if s == "" || s == "Local" { // the machine's own zone is not the company's
		return false
	}
	_, err := time.LoadLocation(s)
	return err == nil
}

func isImage(s string) bool {
	return fs.ValidPath(s) && !strings.ContainsAny(s, "\\:?#%") && line(200)(s) == "" && strings.TrimSpace(s) == s &&
		slices.Contains([]string{".svg", ".png", ".jpg", ".jpeg", ".webp"}, path.Ext(s))
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" || len(s) > 254 {
		return false
	}
	return !strings.ContainsAny(s, "\" \t") && !strings.HasSuffix(s, ".")
}

// isWeb reports whether s is an absolute address of one of the schemes, without
// a user in it.
func isWeb(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && slices.Contains(schemes, u.Scheme) && isHost(u.Hostname()) && u.User == nil &&
		len(s) <= 2000 && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

func isCallback(s string) bool {
	return (isWeb(s, "https") || isWeb(s, "http") && isLoopback(s)) && !strings.Contains(s, "#")
}

func isLoopback(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1")
}

var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)

func isHost(s string) bool { return len(s) <= 253 && hostForm.MatchString(s) }

// anOrigin is compared with a browser's Origin header byte for byte, so it must
// be written as a browser writes it.
func anOrigin(s string) string {
	u, err := url.Parse(s)
	is := "is " + quote(s) + "; expected "
	switch {
	case strings.Contains(s, "*"):
		return is + "an exact origin, without a wildcard"
	case err != nil || !slices.Contains([]string{"https", "http"}, u.Scheme) || u.Host == "" || u.User != nil:
		return is + "scheme://host or scheme://host:port, such as https://www.example.com"
	case s != u.Scheme+"://"+u.Host:
		return is + "no path, such as " + u.Scheme + "://" + u.Host
	case u.Scheme == "http" && !isLoopback(s):
		return is + "https; http is for localhost and 127.0.0.1 only"
	case s != strings.ToLower(s) || !isHost(u.Hostname()):
		return is + "the host as a browser sends it: lower case, Punycode for other alphabets"
	case !isOriginPort(u):
		return is + "a port from 1 to 65535, or none if it is the scheme's own"
	}
	return ""
}

func aPublicKey(s string) string {
	if b, err := base64.StdEncoding.DecodeString(s); err != nil || len(b) != ed25519.PublicKeySize {
		return "is no Ed25519 public key; expected its 32 bytes in base64"
	}
	return ""
}

var portForm = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)

func isOriginPort(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	own := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	return portForm.MatchString(port) && (len(port) < 5 || port <= "65535") && port != own
}
