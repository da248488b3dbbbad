package inflate

// fixedCodes sets the codes that need no description.
func (d *decoder) fixedCodes() error {
	if d.fixed {
		return nil
	}
	var lengths [288 + 32]byte
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		case i < 288:
			lengths[i] = 8
		default:
			lengths[i] = 5
		}
	}
	d.fixed = true
	return d.setCodes(lengths[:288], lengths[288:])
}

func (d *decoder) setCodes(lengths, dists []byte) error {
	if !build(d.lengths[:], lengthBits, lengths, symbols.lengths[:]) || !build(d.dists[:], distBits, dists, symbols.dists[:]) {
		d.fixed = false
		return errCode
	}
	return nil
}

// dynamicCodes reads the description of a block's codes: the lengths of both, packed by a third code.
func (d *decoder) dynamicCodes() error {
	d.fixed = false
	v, err := d.in.Take(14)
	if err != nil {
		return err
	}
	nl, nd, nc := int(v&31)+257, int(v>>5&31)+1, int(v>>10)+4
	if nl > 286 || nd > 30 {
		return errCode
	}
	var small [19]byte
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:nc] {
		v, err := d.in.Take(3)
		if err != nil {
			return err
		}
		small[i] = byte(v)
	}
	var table clenTable
	if !build(table[:], clenBits, small[:], symbols.clens[:]) {
		return errCode
	}
	var lengths [286 + 30]byte
	for i := 0; i < nl+nd; {
		k, err := d.codeLength(&table, lengths[:nl+nd], i)
		if err != nil {
			return err
		}
		i += k
	}
	if lengths[256] == 0 { // nothing could end the block
		return errCode
	}
	return d.setCodes(lengths[:nl], lengths[nl:nl+nd])
}

// codeLength reads one length or a run of equal ones to lengths[i:], and returns how many.
func (d *decoder) codeLength(table *clenTable, lengths []byte, i int) (int, error) {
	if d.in.n < clenBits {
		if err := d.in.top(); err != nil {
			return 0, err
		}
	}
	e := table[d.in.word&(1<<clenBits-1)]
	if e == 0 {
		return 0, errSymbol
	}
	if _, err := d.in.Take(int(e & entryBits)); err != nil {
		return 0, err
	}
	symbol := e >> 16
	if symbol < 16 {
		lengths[i] = byte(symbol)
		return 1, nil
	}
	k, extra := 3, 2
	switch symbol {
	case 16:
		if i == 0 {
			return 0, errCode
		}
	case 17:
		extra = 3
	case 18:
		k, extra = 11, 7
	}
	v, err := d.in.Take(extra)
	if err != nil {
		return 0, err
	}
	if k += int(v); k > len(lengths)-i {
		return 0, errCode
	}
	for j := range k {
		if symbol == 16 {
			lengths[i+j] = lengths[i-1]
		}
	}
	return k, nil
}
