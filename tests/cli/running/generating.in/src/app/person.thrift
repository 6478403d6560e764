namespace py people

struct Person {
  1: string name
}
