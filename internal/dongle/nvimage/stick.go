package nvimage

import "fmt"

// A Stick is what SYS_PING and SYS_VERSION say about the firmware an image was
// read from, or is to be written to.
type Stick struct {
	Capabilities uint16 `json:"capabilities"`
	Transport    uint8  `json:"transport"`
	Product      uint8  `json:"product"` // 0 Z-Stack 1.2, 1 Z-Stack 3.x.0, 2 Z-Stack 3.0.x
	Major        uint8  `json:"major"`
	Minor        uint8  `json:"minor"`
	Maint        uint8  `json:"maint"`
	Revision     uint32 `json:"revision"` // a date such as 20250321 in the builds seen
}

// ProductName says in words which stack a product number stands for.
func (s Stick) ProductName() string {
	switch s.Product {
	case 0:
		return "Z-Stack 1.2"
	case 1:
		return "Z-Stack 3.x.0"
	case 2:
		return "Z-Stack 3.0.x"
	}
	return fmt.Sprintf("unknown product %d", s.Product)
}

func (s Stick) String() string { return fmt.Sprintf("%s revision %d", s.ProductName(), s.Revision) }
