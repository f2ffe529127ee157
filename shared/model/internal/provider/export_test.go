package provider

// Held is how many bytes the stream's buffers take.
func (e *Events) Held() int { return cap(e.buf) + cap(e.name) + cap(e.data) }
