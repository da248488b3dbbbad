package nfs

// Status is the table of answers, for tests.
func Status(err error) uint32 { return status(err) }

// Answer gives the reply to a call, with the head of its record.
func Answer(s *Server, call []byte) ([]byte, error) {
	r, err := s.request(call)
	if err != nil {
		return nil, err
	}
	r.answer()
	reply := append([]byte(nil), r.out.b...)
	r.release()
	return reply, nil
}
