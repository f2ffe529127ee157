package dynamotest

// conditional is what the writes of one item have in common.
type conditional struct {
	TableName                           string
	ConditionExpression                 *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           map[string]value
	ReturnValuesOnConditionCheckFailure string
}

type (
	putRequest struct {
		conditional
		Item item
	}
	updateRequest struct {
		conditional
		Key              item
		UpdateExpression string
	}
	deleteRequest struct {
		conditional
		Key item
	}
	checkRequest struct {
		conditional
		Key item
	}
)

// write is a request to write one item, parsed and checked, so that it can be
// tried without being applied.
type write struct {
	t         *table
	key       item
	condition condition                    // nil = always
	change    func(old item) (item, error) // what is there after it; nil = nothing
	check     bool                         // writes nothing
	allOld    bool
}

// prepare looks up the table and parses the condition. finish is called once
// the request's other expressions are parsed too.
func (s *Server) prepare(c *conditional, key item, exact bool) (w *write, x *expressions, err error) {
	w = &write{key: keyOf(key), allOld: c.ReturnValuesOnConditionCheckFailure == "ALL_OLD"}
	if w.t, err = s.table(c.TableName); err != nil {
		return nil, nil, err
	}
	if err := checkKey(key, exact); err != nil {
		return nil, nil, err
	}
	x = newExpressions(c.ExpressionAttributeNames, c.ExpressionAttributeValues)
	if c.ConditionExpression != nil {
		if w.condition, err = x.condition(*c.ConditionExpression); err != nil {
			return nil, nil, err
		}
	}
	return w, x, nil
}

func (s *Server) preparePut(r *putRequest) (*write, error) {
	w, x, err := s.prepare(&r.conditional, r.Item, false)
	if err != nil {
		return nil, err
	}
	w.change = func(item) (item, error) { return r.Item, nil }
	return w, x.finish()
}

func (s *Server) prepareUpdate(r *updateRequest) (*write, error) {
	w, x, err := s.prepare(&r.conditional, r.Key, true)
	if err != nil {
		return nil, err
	}
	u, err := x.update(r.UpdateExpression)
	if err != nil {
		return nil, err
	}
	for _, attr := range u.attributes() {
		if attr == "pk" || attr == "sk" {
			return nil, invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", attr)
		}
	}
	w.change = func(old item) (item, error) { return u.apply(old, w.key) }
	return w, x.finish()
}

func (s *Server) prepareDelete(r *deleteRequest) (*write, error) {
	w, x, err := s.prepare(&r.conditional, r.Key, true)
	if err != nil {
		return nil, err
	}
	w.change = func(item) (item, error) { return nil, nil }
	return w, x.finish()
}

func (s *Server) prepareCheck(r *checkRequest) (*write, error) {
	w, x, err := s.prepare(&r.conditional, r.Key, true)
	if err != nil {
		return nil, err
	}
	if w.condition == nil {
		return nil, invalid("The expression can not be empty;")
	}
	w.check = true
	w.change = func(old item) (item, error) { return old, nil }
	return w, x.finish()
}

// outcome is a write tried against what is there.
type outcome struct {
	old, next item
	units     float64
	failed    bool // the condition did not hold
}

func (w *write) try() (outcome, error) {
	o := outcome{old: w.t.get(w.key)}
	if w.condition != nil && !w.condition.holds(o.old) {
		o.failed, o.units = true, writeUnits(o.old, nil)
		return o, nil
	}
	var err error
	if o.next, err = w.change(o.old); err != nil {
		return o, err
	}
	o.units = writeUnits(o.old, o.next)
	return o, checkSize(o.next)
}

// apply makes the outcome what is there, and tells the stream.
func (s *Server) apply(w *write, o outcome) {
	if w.check || o.old == nil && o.next == nil {
		return
	}
	w.t.store(w.key, o.next)
	if w.t.stream != nil && !(o.old != nil && o.next != nil && o.old.equal(o.next)) {
		s.seq++
		w.t.stream.record(w.key, o.old, o.next, s.seq)
	}
}

const conditionMessage = "The conditional request failed"

// alone answers a request for one write.
func (s *Server) alone(w *write, err error, report string) (any, error) {
	if err != nil {
		return nil, err
	}
	o, err := w.try()
	if err != nil {
		return nil, err
	}
	used := s.wrote(w.t.name, o.units, report)
	if o.failed {
		f := &failure{Type: "ConditionalCheckFailedException", Message: conditionMessage}
		if w.allOld {
			f.Item = o.old
		}
		return nil, f
	}
	s.apply(w, o)
	return struct {
		ConsumedCapacity *consumed `json:",omitempty"`
	}{used}, nil
}

func (s *Server) putItem(in *struct {
	putRequest
	ReturnConsumedCapacity string
}) (any, error) {
	w, err := s.preparePut(&in.putRequest)
	return s.alone(w, err, in.ReturnConsumedCapacity)
}

func (s *Server) updateItem(in *struct {
	updateRequest
	ReturnConsumedCapacity string
}) (any, error) {
	w, err := s.prepareUpdate(&in.updateRequest)
	return s.alone(w, err, in.ReturnConsumedCapacity)
}

func (s *Server) deleteItem(in *struct {
	deleteRequest
	ReturnConsumedCapacity string
}) (any, error) {
	w, err := s.prepareDelete(&in.deleteRequest)
	return s.alone(w, err, in.ReturnConsumedCapacity)
}

func (s *Server) getItem(in *struct {
	TableName              string
	Key                    item
	ConsistentRead         bool
	ReturnConsumedCapacity string
}) (any, error) {
	t, err := s.table(in.TableName)
	if err != nil {
		return nil, err
	}
	if err := checkKey(in.Key, true); err != nil {
		return nil, err
	}
	it := t.get(in.Key)
	return struct {
		Item             item      `json:",omitempty"`
		ConsumedCapacity *consumed `json:",omitempty"`
	}{it, s.read(t.name, readUnits(it.size(), in.ConsistentRead), in.ReturnConsumedCapacity)}, nil
}
