package provider

import "strings"

// maxTemperature is the end of both providers' scale; others' goes to 2.
const maxTemperature = 1

// Sampling returns temperature and topP as the model takes them: Claude's models
// from the fourth generation on refuse a request that sets both.
func Sampling(model string, temperature, topP *float64) (*float64, *float64) {
	if temperature == nil {
		return nil, topP
	}
	if strings.Contains(model, "claude-") && !strings.Contains(model, "claude-3") {
		topP = nil
	}
	t := min(*temperature, maxTemperature)
	return &t, topP
}

// Visible leaves out the stop sequences that both providers refuse: those that are
// nothing but space.
func Visible(sequences []string) []string {
	var out []string
	for _, s := range sequences {
		if strings.TrimSpace(s) != "" {
			out = append(out, s)
		}
	}
	return out
}
