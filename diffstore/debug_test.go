package diffstore
import ("fmt")
func (v *View) DebugBlock(b uint32) {
	for i := v.first; i < len(v.snap.vol.snapshots); i++ {
		s := v.snap.vol.snapshots[i]; m := s.marks()
		fmt.Println("store", i, "size", blocks(s.Size), "flags", s.Flags, "prev", s.entry.previous!=0, "own", m.own.Contains(b), "mine", m.mine.Contains(b))
	}
	l := v.snap.vol.snapshots[len(v.snap.vol.snapshots)-1].load()
	for i, r := range l.rows { fmt.Println("   ", i, r) }
	for p := v.index.find(block(b),0); p<len(v.index.rows)&&v.index.rows[p].block==block(b);p++ { fmt.Printf("%+v\n", v.index.rows[p]) }
	fmt.Println("live", v.snap.vol.base.Size()/16384, "damaged", v.damaged, "end", v.end)
}
