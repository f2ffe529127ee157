package prove

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
)

// side is one of the companies.
type side struct {
	label     string // in the report
	project   string
	assistant string
	origin    string // of its site; "" = it has none, and no visitor
	origins   []string
	keyName   string // of every key that is made here
	keyID     string // of one of them
	user      string // a customer's id, at whose name its conversation is
	made      bool   // by us
	issued    []string
}

// identity is somebody at a door.
type identity struct {
	name    string
	kind    string // sk, pk, op, widget; "" = nobody
	viewer  bool   // a secret key that may read alone; the others are editors
	of      *side  // whose; nil = nobody's
	visitor string // "" = not one person
	key     string
	header  []string
	conv    string // a conversation of their own, to go on with
	dead    bool   // revoked or suspended: nothing is theirs any more
	mute    bool   // seen to be served nowhere
}

// talk is a conversation that was made to be asked for.
type talk struct {
	id      string
	of      *side
	visitor string
	owner   *identity
}

// stage makes everything that the attacks need; what it made is known to clean also when
// it fails half-way.
func (m *matrix) stage(ctx context.Context) error {
	c, err := m.op.look(ctx, m.proven.project)
	if err != nil {
		return err
	}
	m.proven.assistant = c.Assistants[0]
	if m.plan.Assistant != "" {
		m.proven.assistant = m.plan.Assistant
	}
	if m.proven.origins = c.Manifest.Origins; len(m.proven.origins) > 0 {
		m.proven.origin = c.Manifest.Origins[0]
	} else {
		m.proven.origin = m.wire.base.Scheme + "://" + m.wire.base.Host // a development server's own pages
	}
	for _, s := range []*side{m.canary, m.near, m.shut} {
		if err := m.op.create(ctx, s, m.word(s, inName, ""), m.files(s)); err != nil {
			return err
		}
	}
	m.tell("made the canary company %s and two beside it", m.canary.project)
	m.join(identity{name: "anonymous"})
	m.op.identity = m.join(*m.op.identity)
	for _, s := range m.sides() {
		if err := m.people(ctx, s); err != nil {
			return err
		}
	}
	if err := m.neighbours(ctx); err != nil {
		return err
	}
	for _, err := range m.op.exercise(ctx, m.near) {
		m.note("a control of the operator's API did not hold: %v", err)
	}
	return m.converse(ctx)
}

// word makes a word for what a company, or a visitor of it, has there.
func (m *matrix) word(of *side, what, visitor string) string {
	w := word{text: m.root + letters(20), of: of, visitor: visitor, what: what}
	m.words = append(m.words, w)
	return w.text
}

// files are a canary's. Its assistants ask no model that is paid.
func (m *matrix) files(s *side) map[string]string {
	s.assistant = m.word(s, inDesk, "")
	return map[string]string{
		"assistants/" + s.assistant + ".md": "---\nname: Canary\nmodel: extract\n---\nYou answer. " + m.word(s, inRule, ""),
		"knowledge/fees.md":                 "---\ntitle: Fees " + m.word(s, inFees, "") + "\n---\n## Visits\nA visit costs $149 on weekdays (" + m.word(s, inFees, "") + ").\n",
	}
}

// join adds somebody who attacks.
func (m *matrix) join(i identity) *identity {
	m.who = append(m.who, &i)
	return &i
}

// issue makes a key of the company's that dies with this run.
func (m *matrix) issue(ctx context.Context, s *side, kind, role string) (key, error) {
	k, err := m.op.issue(ctx, s, kind, role)
	if err != nil {
		return k, err
	}
	s.keyID, s.issued = k.ID, append(s.issued, k.ID)
	if kind != "publishable" { // whose text is no secret
		m.secrets.add(k.Text)
	}
	return k, nil
}

// people gives a company its keys, and its site a visitor.
func (m *matrix) people(ctx context.Context, s *side) error {
	var keys [4]key
	for n, want := range [4][2]string{{"secret", "editor"}, {"secret", "viewer"}, {"publishable", ""}, {"secret", "editor"}} {
		k, err := m.issue(ctx, s, want[0], want[1])
		if err != nil {
			return err
		}
		keys[n] = k
	}
	// Never shown while it held: a server may hold a key in memory for some seconds.
	if err := m.op.revoke(ctx, s, keys[3].ID); err != nil {
		return err
	}
	s.user = m.word(s, inUser, "")
	page := []string{"Origin", s.origin}
	m.join(identity{name: s.label + "'s secret key", kind: "sk", of: s, key: keys[0].Text})
	m.join(identity{name: s.label + "'s viewer key", kind: "sk", viewer: true, of: s, key: keys[1].Text})
	pk := m.join(identity{name: s.label + "'s publishable key", kind: "pk", of: s, key: keys[2].Text, header: page})
	m.join(identity{name: s.label + "'s revoked key", kind: "sk", of: s, key: keys[3].Text, dead: true})
	visitors := []string{"visitor"}
	if s == m.canary {
		visitors = append(visitors, "other visitor")
	}
	for _, name := range visitors {
		err := m.visit(ctx, pk, name)
		if err != nil && s == m.proven && len(s.origins) == 0 {
			m.note("the company allows no origin, so nothing was tried as a page or a visitor of its site")
			m.who = slices.DeleteFunc(m.who, func(i *identity) bool { return i == pk })
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// visit gets a widget token, as a page of the company's site does.
func (m *matrix) visit(ctx context.Context, pk *identity, name string) error {
	id := m.word(pk.of, inUser, "")
	person := "visitor:~" + id
	m.words[len(m.words)-1].visitor = person
	body, err := json.Marshal(map[string]string{"assistant": pk.of.assistant, "visitor_id": id}, json.Deterministic(true))
	if err != nil {
		return err
	}
	var out struct {
		Token string `json:"token"`
	}
	r := m.wire.send(ctx, &attempt{who: pk, method: "POST", target: "/v1/widget/token", body: string(body)})
	if err := read(r, &out); err != nil {
		return fmt.Errorf("no widget token from %s: %w", pk.of.origin, err)
	}
	m.secrets.add(out.Token)
	m.join(identity{name: pk.of.label + "'s " + name, kind: "widget", of: pk.of, visitor: person, key: out.Token, header: pk.header})
	return nil
}

// neighbours gives a key to the canary whose name begins with the other's, and to the
// one that is suspended.
func (m *matrix) neighbours(ctx context.Context) error {
	for _, s := range []*side{m.near, m.shut} {
		k, err := m.issue(ctx, s, "secret", "editor")
		if err != nil {
			return err
		}
		s.user = m.word(s, inUser, "")
		m.join(identity{name: s.label + "'s secret key", kind: "sk", of: s, key: k.Text, dead: s == m.shut})
	}
	var err error
	if m.identity, err = m.issue(ctx, m.canary, "identity", ""); err != nil {
		return err
	}
	return m.op.suspend(ctx, m.shut, "it is there to be refused (switchboard prove)")
}

// converse has one conversation at each door that may, with words to be found again; in
// the proven company one of its server's and one of a visitor's, and none in a run that
// is to leave nothing there.
func (m *matrix) converse(ctx context.Context) error {
	for _, i := range m.who {
		if i.dead || i.of == nil || i.kind == "pk" || i.of == m.proven && m.plan.ReadOnly {
			continue
		}
		person := ""
		if i.kind == "sk" {
			person = i.of.user
		}
		if i.viewer { // who cannot begin one
			i.conv = m.find(i.of, "secret key").conv
			continue
		}
		id, err := m.say(ctx, i, "", person)
		if err == nil {
			_, err = m.say(ctx, i, id, person) // two turns: enough for a cursor
		}
		if err != nil {
			return fmt.Errorf("%s cannot have a conversation: %w", i.name, err)
		}
		i.conv = id
		m.talks = append(m.talks, talk{id, i.of, i.visitor, i})
	}
	if m.plan.ReadOnly {
		m.note("nothing was said in the proven company (--read-only): no conversation of its own was asked for by others, its keys were not seen to be served by routes that take a turn, and what would take one was not tried")
	}
	return nil
}

// find is the company's identity of that name.
func (m *matrix) find(of *side, name string) *identity {
	for _, i := range m.who {
		if i.of == of && i.name == of.label+"'s "+name {
			return i
		}
	}
	return nil
}

// say takes a turn and returns its conversation's id.
func (m *matrix) say(ctx context.Context, i *identity, conversation, person string) (string, error) {
	body := map[string]any{"assistant": i.of.assistant, "message": question + " (" + m.word(i.of, inTalk, i.visitor) + ", an isolation test)"}
	if conversation != "" {
		body["conversation_id"] = conversation
	}
	if person != "" {
		body["user"] = map[string]any{"id": person}
	}
	text, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	var out struct {
		Turn         string `json:"turn_id"`
		Conversation string `json:"conversation_id"`
	}
	m.took(i)
	r := m.wire.send(ctx, &attempt{who: i, method: "POST", target: "/v1/chat", body: string(text)})
	if err = read(r, &out); err == nil && (out.Conversation == "" || out.Turn == "") {
		err = errors.New("the answer names no conversation")
	}
	return out.Conversation, err
}

// read reads what has to have been served.
func read(r answer, v any) error {
	if r.err != nil {
		return r.err
	}
	if r.status != 200 {
		return fmt.Errorf("%d: %s", r.status, detailOf(r.body))
	}
	return json.Unmarshal(r.body, v)
}
