package dynamotest

import (
	"fmt"
	"time"
)

type createRequest struct {
	TableName            string
	KeySchema            []struct{ AttributeName, KeyType string }
	AttributeDefinitions []struct{ AttributeName, AttributeType string }
	BillingMode          string
	StreamSpecification  *struct {
		StreamEnabled  bool
		StreamViewType string
	}
}

// description is a TableDescription.
type description struct {
	TableName       string
	TableStatus     string
	LatestStreamArn string `json:",omitempty"`
}

func (t *table) describe() description {
	d := description{TableName: t.name, TableStatus: "ACTIVE"}
	if t.stream != nil {
		d.LatestStreamArn = t.stream.arn
	}
	return d
}

// createTable knows one shape of table: dynamotable's.
func (s *Server) createTable(in *createRequest) (any, error) {
	if _, there := s.tables[in.TableName]; there {
		return nil, &failure{Type: "ResourceInUseException", Message: "Cannot create preexisting table"}
	}
	shape := fmt.Sprint(in.KeySchema, " ", in.AttributeDefinitions, " ", in.BillingMode)
	if shape != "[{pk HASH} {sk RANGE}] [{pk S} {sk S}] PAY_PER_REQUEST" {
		return nil, invalid("dynamotest makes tables of pk and sk, on demand, and no others: %s", shape)
	}
	t := &table{name: in.TableName, partitions: map[string]*partition{}}
	if spec := in.StreamSpecification; spec != nil && spec.StreamEnabled {
		if spec.StreamViewType != "NEW_IMAGE" && spec.StreamViewType != "NEW_AND_OLD_IMAGES" {
			return nil, invalid("dynamotest does not know streams of %s", spec.StreamViewType)
		}
		t.stream = newStream(in.TableName, spec.StreamViewType, time.Now())
	}
	s.tables[in.TableName] = t
	return struct{ TableDescription description }{t.describe()}, nil
}

func (s *Server) describeTable(in *struct{ TableName string }) (any, error) {
	t, err := s.table(in.TableName)
	if err != nil {
		return nil, err
	}
	return struct{ Table description }{t.describe()}, nil
}

func (s *Server) updateTimeToLive(in *struct {
	TableName               string
	TimeToLiveSpecification struct {
		AttributeName string
		Enabled       bool
	}
}) (any, error) {
	t, err := s.table(in.TableName)
	if err != nil {
		return nil, err
	}
	if in.TimeToLiveSpecification.Enabled == (t.ttl != "") {
		return nil, invalid("TimeToLive is already in that state")
	}
	t.ttl = ""
	if in.TimeToLiveSpecification.Enabled {
		t.ttl = in.TimeToLiveSpecification.AttributeName
	}
	return in, nil
}

// TimeToLive returns the attribute that a table's items expire by, "" if none.
// Nothing here deletes by it.
func (s *Server) TimeToLive(table string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tables[table]; t != nil {
		return t.ttl
	}
	return ""
}
