package dynamotest

// consumed is ConsumedCapacity with TOTAL.
type consumed struct {
	TableName     string
	CapacityUnits float64
}

// roundUp returns how many blocks the bytes fill; an empty answer is billed as one.
func roundUp(bytes, block int) float64 { return float64(max(1, (bytes+block-1)/block)) }

// writeUnits is one unit for each KB of the larger of the item before and after.
func writeUnits(before, after item) float64 {
	return roundUp(max(before.size(), after.size()), 1<<10)
}

// readUnits is one unit for each 4 KB, half of that if the read may be stale.
func readUnits(bytes int, consistent bool) float64 {
	units := roundUp(bytes, 4<<10)
	if !consistent {
		units /= 2
	}
	return units
}

// queryUnits is readUnits of all items together; a query that finds nothing is
// free.
func queryUnits(bytes int, consistent bool) float64 {
	if bytes == 0 {
		return 0
	}
	return readUnits(bytes, consistent)
}

// wrote and read bill a request, and return what it is told of it.
func (s *Server) wrote(table string, units float64, report string) *consumed {
	s.units.Write += units
	return told(table, units, report)
}

func (s *Server) read(table string, units float64, report string) *consumed {
	s.units.Read += units
	return told(table, units, report)
}

func told(table string, units float64, report string) *consumed {
	if report != "TOTAL" {
		return nil
	}
	return &consumed{table, units}
}
