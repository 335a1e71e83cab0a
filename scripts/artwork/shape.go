package main

import (
	"image"
	"image/color"
	"math"
)

// A point is a place in a drawing, in its own units, y downwards.
type point struct{ x, y float64 }

func (p point) minus(q point) point      { return point{p.x - q.x, p.y - q.y} }
func (p point) dot(q point) float64      { return p.x*q.x + p.y*q.y }
func (p point) length() float64          { return math.Hypot(p.x, p.y) }
func (p point) scaled(f float64) point   { return point{p.x * f, p.y * f} }
func (p point) moved(x, y float64) point { return point{p.x + x, p.y + y} }

// A shape tells how far a point is from its edge: negative inside.
type shape func(point) float64

func circle(centre point, radius float64) shape {
	return func(p point) float64 { return p.minus(centre).length() - radius }
}

// ring is the line of the given width along the edge of s.
func ring(s shape, width float64) shape {
	return func(p point) float64 { return math.Abs(s(p)) - width/2 }
}

// both is where a and b overlap.
func both(a, b shape) shape {
	return func(p point) float64 { return math.Max(a(p), b(p)) }
}

// stroke is a line through corners, with round ends.
func stroke(width float64, corners ...point) shape {
	return func(p point) float64 {
		d := math.Inf(1)
		for i := 1; i < len(corners); i++ {
			d = math.Min(d, toSegment(p, corners[i-1], corners[i]))
		}
		return d - width/2
	}
}

// polygon is the area within corners, grown by round everywhere.
func polygon(round float64, corners ...point) shape {
	return func(p point) float64 {
		d, inside := math.Inf(1), false
		for i, a := range corners {
			b := corners[(i+1)%len(corners)]
			d = math.Min(d, toSegment(p, a, b))
			if (a.y > p.y) != (b.y > p.y) && p.x < a.x+(p.y-a.y)*(b.x-a.x)/(b.y-a.y) {
				inside = !inside
			}
		}
		if inside {
			d = -d
		}
		return d - round
	}
}

func toSegment(p, a, b point) float64 {
	along := b.minus(a)
	t := p.minus(a).dot(along) / along.dot(along)
	t = math.Max(0, math.Min(1, t))
	return p.minus(point{a.x + t*along.x, a.y + t*along.y}).length()
}

// A canvas is a picture that shapes are painted on; scale pixels are one unit, and
// the drawing's origin lies at pixel (left, top).
type canvas struct {
	*image.NRGBA
	scale, left, top float64
}

// paint lays colour over the picture where s is, with soft edges one pixel wide.
func (c canvas) paint(s shape, colour color.NRGBA) {
	b := c.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			p := point{float64(x) + 0.5 - c.left, float64(y) + 0.5 - c.top}.scaled(1 / c.scale)
			cover := math.Max(0, math.Min(1, 0.5-s(p)*c.scale))
			if cover > 0 {
				c.SetNRGBA(x, y, over(colour, cover, c.NRGBAAt(x, y)))
			}
		}
	}
}

// over is a colour that covers a part of what lies below it.
func over(top color.NRGBA, cover float64, below color.NRGBA) color.NRGBA {
	a := cover * float64(top.A) / 255
	rest := (1 - a) * float64(below.A) / 255
	sum := a + rest
	mix := func(t, b uint8) uint8 {
		return uint8(math.Round((a*float64(t) + rest*float64(b)) / sum))
	}
	return color.NRGBA{mix(top.R, below.R), mix(top.G, below.G), mix(top.B, below.B), uint8(math.Round(sum * 255))}
}
