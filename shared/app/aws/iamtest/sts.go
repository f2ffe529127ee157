package iamtest

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

// maxPolicy is how long a session's policy may be.
const maxPolicy = 2048

var (
	sessionName = regexp.MustCompile(`\A[\w+=,.@-]{2,64}\z`)
	tagValue    = regexp.MustCompile(`\A[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}\z`)
)

// STS answers AssumeRole in the Query protocol, and nothing else.
func (a *Account) STS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("Action") != "AssumeRole" || form.Get("Version") != "2011-06-15" {
			fail(w, http.StatusBadRequest, "InvalidAction", "Could not find operation")
			return
		}
		life, ok := a.decide(w, r, form.Get("Tags.member.1.Value"))
		if !ok {
			return
		}
		caller, no := a.signed(r, body, "sts")
		if no != nil {
			fail(w, http.StatusForbidden, no.code, no.message)
			return
		}
		a.assume(w, caller, form, life)
	})
}

// decide asks the test's hook; ok is false once it has been answered.
func (a *Account) decide(w http.ResponseWriter, r *http.Request, project string) (time.Duration, bool) {
	a.mu.Lock()
	a.assumed[project]++
	hook := a.onAssume
	a.mu.Unlock()
	if hook == nil {
		return 0, true
	}
	answer := hook(Assumed{project})
	if answer.Hold != nil {
		select {
		case <-answer.Hold:
		case <-r.Context().Done():
			return 0, false
		}
	}
	if answer.Status != 0 {
		fail(w, answer.Status, answer.Code, "As the test says: "+project)
		return 0, false
	}
	return answer.Life, true
}

func (a *Account) assume(w http.ResponseWriter, caller *login, form url.Values, life time.Duration) {
	role := a.roles[form.Get("RoleArn")]
	seconds, err := strconv.Atoi(form.Get("DurationSeconds"))
	keys, tags, ok := tagged(form)
	switch {
	case err != nil || seconds < 900 || seconds > 3600 || !sessionName.MatchString(form.Get("RoleSessionName")) || !ok: // 3600: one role took another
		fail(w, http.StatusBadRequest, "ValidationError", "a parameter is not valid")
		return
	case role == nil || !a.mayAssume(caller, role, keys):
		fail(w, http.StatusForbidden, "AccessDenied", "User: "+caller.who.ARN+" is not authorized to perform: sts:AssumeRole")
		return
	}
	who := &Principal{Tags: tags}
	if text := form.Get("Policy"); text != "" {
		p, err := ParsePolicy(text)
		if err != nil || len(text) > maxPolicy {
			fail(w, http.StatusBadRequest, "MalformedPolicyDocument", text)
			return
		}
		who.Session = &p
	}
	if life == 0 {
		life = time.Duration(seconds) * time.Second
	}
	c := a.issue(role, who, time.Now().Add(life).Truncate(time.Second))
	var out response
	out.Result.Credentials = issued{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expires.UTC().Format(time.RFC3339)}
	out.Result.ARN, out.RequestID = "arn:aws:sts::"+AccountID+":assumed-role/x/"+form.Get("RoleSessionName"), "0a1b2c3d"
	send(w, http.StatusOK, out)
}

// mayAssume asks the caller's own policies and the role's trust; both have to say yes,
// for each of the two actions.
func (a *Account) mayAssume(caller *login, role *deployed, keys map[string][]string) bool {
	for _, action := range []string{"sts:AssumeRole", "sts:TagSession"} {
		if action == "sts:TagSession" && len(keys) == 0 {
			continue
		}
		if ok, _ := caller.who.Allows(Request{Action: action, Resource: role.arn, Keys: keys}); !ok || !role.trust.Trusts(caller.role, action, keys) {
			return false
		}
	}
	return true
}

// tagged reads the session's tags.
func tagged(form url.Values) (keys map[string][]string, tags map[string]string, ok bool) {
	keys, tags = map[string][]string{}, map[string]string{}
	for i := 1; form.Has("Tags.member." + strconv.Itoa(i) + ".Key"); i++ {
		at := "Tags.member." + strconv.Itoa(i)
		k, v := form.Get(at+".Key"), form.Get(at+".Value")
		if !tagValue.MatchString(v) || k == "" {
			return nil, nil, false
		}
		tags[k] = v
		keys["aws:RequestTag/"+k] = []string{v}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], k)
	}
	return keys, tags, true
}

type response struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
	Result  struct {
		ARN         string `xml:"AssumedRoleUser>Arn"`
		Credentials issued
	} `xml:"AssumeRoleResult"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

type issued struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

type failed struct {
	XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

func fail(w http.ResponseWriter, status int, code, message string) {
	send(w, status, failed{Type: "Sender", Code: code, Message: message, RequestID: "0a1b2c3d"})
}

func send(w http.ResponseWriter, status int, v any) {
	body, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // our own types; the test should see it
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	w.Write(body)
}
