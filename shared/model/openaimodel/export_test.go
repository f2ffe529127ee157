package openaimodel

// PlainText is the cheap reading of a chunk.
var PlainText = plainText

// Decode reads data by the book. ok reports that it is nothing but text.
func Decode(data []byte) (text string, ok bool, err error) {
	c, err := decode(data)
	if err != nil || c.failed() || c.Usage != nil || len(c.Choices) != 1 {
		return "", false, err
	}
	ch := c.Choices[0]
	plain := ch.Index == 0 && ch.FinishReason == "" && ch.Delta.Refusal == "" && len(ch.Delta.ToolCalls) == 0 &&
		ch.Message.Content == "" && ch.Message.Refusal == "" && len(ch.Message.ToolCalls) == 0
	return ch.Delta.Content, plain, nil
}
