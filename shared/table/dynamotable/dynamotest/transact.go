package dynamotest

import (
	"bytes"
	"encoding/json"
	"strings"
)

type transactItem struct {
	Put            *putRequest    `json:",omitempty"`
	Update         *updateRequest `json:",omitempty"`
	Delete         *deleteRequest `json:",omitempty"`
	ConditionCheck *checkRequest  `json:",omitempty"`
}

func (s *Server) prepareItem(it transactItem) (*write, error) {
	switch {
	case it.Put != nil:
		return s.preparePut(it.Put)
	case it.Update != nil:
		return s.prepareUpdate(it.Update)
	case it.Delete != nil:
		return s.prepareDelete(it.Delete)
	case it.ConditionCheck != nil:
		return s.prepareCheck(it.ConditionCheck)
	default:
		return nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
}

type transactRequest struct {
	TransactItems          []transactItem
	ClientRequestToken     string
	ReturnConsumedCapacity string
}

// transactWriteItems applies all or nothing. A token that is already known is
// answered as the first time if it comes with the same request.
func (s *Server) transactWriteItems(in *transactRequest) (any, error) {
	if len(in.TransactItems) == 0 || len(in.TransactItems) > 100 {
		return nil, invalid("Member must have length less than or equal to 100 and greater than 0")
	}
	if len(in.ClientRequestToken) > 36 {
		return nil, invalid("Value at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to 36")
	}
	writes, err := s.prepareAll(in.TransactItems)
	if err != nil {
		return nil, err
	}
	fingerprint := in.fingerprint()
	if known, again := s.tokens[in.ClientRequestToken]; again && in.ClientRequestToken != "" {
		if known != fingerprint {
			return nil, &failure{Type: "IdempotentParameterMismatchException", Message: "The request uses the same client token as a previous, but non-identical request."}
		}
		return s.replayed(writes, in.ReturnConsumedCapacity), nil
	}
	outcomes, err := s.tryAll(writes)
	if err != nil {
		return nil, err
	}
	units := map[string]float64{}
	for i, w := range writes {
		s.apply(w, outcomes[i])
		units[w.t.name] += 2 * outcomes[i].units
	}
	s.tokens[in.ClientRequestToken] = fingerprint
	var used []*consumed
	for name, n := range units {
		if c := told(name, n, in.ReturnConsumedCapacity); c != nil {
			used = append(used, c)
		}
	}
	return transactResponse{used}, nil
}

type transactResponse struct {
	ConsumedCapacity []*consumed `json:",omitempty"`
}

// fingerprint tells requests under one token apart.
func (in *transactRequest) fingerprint() string {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(in.TransactItems); err != nil {
		panic(err) // it was decoded from JSON
	}
	return b.String()
}

// prepareAll refuses two operations on one item.
func (s *Server) prepareAll(items []transactItem) ([]*write, error) {
	seen := map[string]bool{}
	var writes []*write
	for _, it := range items {
		w, err := s.prepareItem(it)
		if err != nil {
			return nil, err
		}
		name := strings.Join([]string{w.t.name, w.key["pk"].s, w.key["sk"].s}, "\x00")
		if seen[name] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[name] = true
		writes = append(writes, w)
	}
	return writes, nil
}

// tryAll bills every item and returns a TransactionCanceledException unless all
// conditions hold.
func (s *Server) tryAll(writes []*write) ([]outcome, error) {
	outcomes := make([]outcome, len(writes))
	reasons := make([]cancellationReason, len(writes))
	canceled, size := false, 0
	for i, w := range writes {
		o, err := w.try()
		if err != nil {
			return nil, err
		}
		s.units.Write += 2 * o.units
		size += o.next.size()
		outcomes[i], reasons[i].Code = o, "None"
		if o.failed {
			canceled = true
			reasons[i] = cancellationReason{Code: "ConditionalCheckFailed", Message: conditionMessage}
			if w.allOld {
				reasons[i].Item = o.old
			}
		}
	}
	if size > maxTransaction {
		return nil, invalid("Aggregated size of all items in the transaction exceeds 4 MB")
	}
	if !canceled {
		return outcomes, nil
	}
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	return nil, &failure{Type: "TransactionCanceledException", Reasons: reasons,
		Message: "Transaction cancelled, please refer cancellation reasons for specific reasons [" + strings.Join(codes, ", ") + "]"}
}

// replayed answers a transaction that was applied before; it is billed as reads.
func (s *Server) replayed(writes []*write, report string) transactResponse {
	units, name := 0.0, ""
	for _, w := range writes {
		units += 2 * readUnits(w.t.get(w.key).size(), true)
		name = w.t.name
	}
	if c := s.read(name, units, report); c != nil {
		return transactResponse{[]*consumed{c}}
	}
	return transactResponse{}
}
