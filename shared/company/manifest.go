package company

import (
	"slices"
	"strings"
)

// defaults is what a manifest means that says nothing but a name.
func defaults() Company {
	return Company{
		Kind:      KindCompany,
		Tier:      TierStandard,
		Locale:    "en-US",
		Timezone:  "UTC",
		Brand:     Brand{Color: "#0b5fff", Corner: CornerRight},
		Budget:    Budget{Alerts: []int{50, 80, 100}},
		Retention: Retention{ConversationsDays: 365, AuditDays: 2555},
		Storage:   Storage{Mode: ModePool},
	}
}

// manifest reads company.yaml into c.
func (s *source) manifest(c *Company) {
	f, ok := s.yaml(s.text)
	if !ok {
		return
	}
	f.require("name")
	f.text("name", &c.Name, line(100))
	choice(f, "kind", &c.Kind, KindCompany, KindClient, KindPersonal)
	f.text("group", &c.Group, aGroup)
	choice(f, "tier", &c.Tier, TierFree, TierStandard, TierPro, TierEnterprise)
	f.texts("origins", &c.Origins, 100, anOrigin)
	f.section("identity", func(f *fields) { f.texts("public_keys", &c.Identity.PublicKeys, 5, aPublicKey) })
	f.text("locale", &c.Locale, aLocale)
	f.text("timezone", &c.Timezone, aTimezone)
	f.section("brand", c.Brand.read)
	f.section("budget", c.Budget.read)
	f.section("retention", c.Retention.read)
	f.section("memory", c.Memory.read)
	f.section("storage", c.Storage.read)
	f.each("webhooks", 20, func(f *fields) { c.Webhooks = append(c.Webhooks, readWebhook(f)) })
	f.each("members", 500, c.readMember)
	f.done()
}

func (b *Brand) read(f *fields) {
	f.text("color", &b.Color, aColor)
	f.text("logo", &b.Logo, aLogo)
	choice(f, "corner", &b.Corner, CornerLeft, CornerRight)
}

func (b *Budget) read(f *fields) {
	f.number("monthly_usd", &b.MonthlyUSD, 0.01, 1_000_000)
	f.wholes("alerts", &b.Alerts, 10, 1, 100)
}

func (r *Retention) read(f *fields) {
	const tenYears = 3653
	f.whole("conversations_days", &r.ConversationsDays, 1, tenYears)
	f.whole("audit_days", &r.AuditDays, 1, tenYears)
}

func (m *Memory) read(f *fields) {
	f.flag("visitors", &m.Visitors)
	f.flag("shared_across_assistants", &m.SharedAcrossAssistants)
}

func (s *Storage) read(f *fields) {
	if f.has("mode") {
		s.Mode = "" // a wrong mode is one mistake, not one more for each field that goes with the right one
	}
	choice(f, "mode", &s.Mode, ModePool, ModeSilo)
	f.text("table", &s.Table, aTable)
	f.text("role_arn", &s.RoleARN, aRoleARN)
	f.text("kms_key", &s.KMSKey, aKMSKey)
	f.text("redis", &s.Redis, endpoint("rediss", "redis"))
	f.text("pinecone", &s.Pinecone, endpoint("https"))
	f.text("bucket", &s.Bucket, aBucket)
	f.section("model_keys", s.readModelKeys)
	if s.Mode == ModePool {
		f.onlySilo()
	}
}

func (s *Storage) readModelKeys(f *fields) {
	for _, provider := range []string{"anthropic", "openai", "bedrock"} {
		secret := ""
		if f.text(provider, &secret, aSecretName); secret != "" {
			if s.ModelKeys == nil {
				s.ModelKeys = map[string]string{}
			}
			s.ModelKeys[provider] = secret
		}
	}
}

// onlySilo refuses a pooled company's own stores: whoever wrote them believes
// that the data is there.
func (f *fields) onlySilo() {
	for _, v := range f.values {
		if v.name != "mode" && slices.Contains(f.known, v.name) {
			f.src.wrong(v.at, "%s%s is given with mode pool; expected mode: silo", f.path, v.name)
		}
	}
}

func readWebhook(f *fields) (w Webhook) {
	f.require("url", "events", "secret")
	f.text("url", &w.URL, aCallback)
	choices(f, "events", &w.Events, EventLead, EventAppointment, EventHandoff, EventFeedback, EventBudget, EventError)
	f.notEmpty("events")
	f.text("secret", &w.Secret, aSecretName)
	return w
}

// readMember adds a member. One address with two roles would be a guess about
// which holds.
func (c *Company) readMember(f *fields) {
	var m Member
	f.require("email", "role")
	f.text("email", &m.Email, anEmail)
	choice(f, "role", &m.Role, RoleOwner, RoleAdmin, RoleEditor, RoleViewer)
	same := func(o Member) bool { return m.Email != "" && strings.EqualFold(o.Email, m.Email) }
	if slices.ContainsFunc(c.Members, same) {
		f.src.wrong(f.at, "%semail is %s again; expected each member once", f.path, quote(m.Email))
	}
	c.Members = append(c.Members, m)
}
