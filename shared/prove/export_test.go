package prove

// Words finds which of the texts, all of which begin with root, are in b.
func Words(root string, texts []string, b []byte) (found []string) {
	var words []word
	for _, t := range texts {
		words = append(words, word{text: t})
	}
	for _, w := range newScanner(root, words).Find(b) {
		found = append(found, w.text)
	}
	return found
}

// Redact takes the secret, and whatever looks like one, out of a text.
func Redact(secret, text string) string {
	s := &secrets{}
	s.add(secret)
	return s.redact(text)
}

// Headers is what a report shows of a request's.
func Headers(pairs ...string) []string { return (&secrets{}).headers(pairs) }
