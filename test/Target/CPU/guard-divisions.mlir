// RUN: tessera-opt %s --cpu-guard-divisions | FileCheck %s

// CHECK-LABEL: func.func @by_zero
// CHECK-SAME:    (%[[X:.*]]: index, %[[D:.*]]: index)
// CHECK:         %[[IS:.*]] = arith.cmpi eq, %[[D]], %{{.*}}
// CHECK:         %[[SAFE:.*]] = arith.select %[[IS]], %{{.*}}, %[[D]]
// CHECK:         arith.divui %[[X]], %[[SAFE]]
// CHECK:         %[[SAFE2:.*]] = arith.select %{{.*}}, %{{.*}}, %[[D]]
// CHECK:         arith.remui %[[X]], %[[SAFE2]]
func.func @by_zero(%x: index, %d: index) -> (index, index) {
  %q = arith.divui %x, %d : index
  %r = arith.remui %x, %d : index
  return %q, %r : index, index
}

// The least number has no quotient by -1.
// CHECK-LABEL: func.func @by_minus_one
// CHECK-SAME:    (%[[X:.*]]: vector<4xi32>, %[[D:.*]]: vector<4xi32>)
// CHECK:         %[[ZERO:.*]] = arith.cmpi eq, %[[D]], %{{.*}}
// CHECK:         %[[NOT_ZERO:.*]] = arith.select %[[ZERO]], %{{.*}}, %[[D]]
// CHECK:         %[[MINUS:.*]] = arith.cmpi eq, %[[D]], %{{.*}}
// CHECK:         %[[SAFE:.*]] = arith.select %[[MINUS]], %{{.*}}, %[[NOT_ZERO]]
// CHECK:         %[[Q:.*]] = arith.divsi %[[X]], %[[SAFE]]
// CHECK:         %[[NEGATED:.*]] = arith.subi %{{.*}}, %[[X]]
// CHECK:         %[[RESULT:.*]] = arith.select %[[MINUS]], %[[NEGATED]], %[[Q]]
// CHECK:         %[[R:.*]] = arith.remsi
// CHECK:         return %[[RESULT]], %[[R]]
func.func @by_minus_one(%x: vector<4xi32>, %d: vector<4xi32>) -> (vector<4xi32>, vector<4xi32>) {
  %q = arith.divsi %x, %d : vector<4xi32>
  %r = arith.remsi %x, %d : vector<4xi32>
  return %q, %r : vector<4xi32>, vector<4xi32>
}

// CHECK-LABEL: func.func @by_known
// CHECK-NOT:     arith.select
// CHECK:         return
func.func @by_known(%x: index, %d: index, %v: vector<4xi32>) -> (index, index, vector<4xi32>) {
  %one = arith.constant 1 : index
  %most = arith.maxui %d, %one : index
  %q = arith.divui %x, %most : index
  %least = arith.maxsi %d, %one : index
  %r = arith.remsi %x, %least : index
  %threes = arith.constant dense<3> : vector<4xi32>
  %w = arith.divsi %v, %threes : vector<4xi32>
  return %q, %r, %w : index, index, vector<4xi32>
}

// What the model's own division avoids is left, under a mask as well.
// CHECK-LABEL: func.func @avoided
// CHECK-COUNT-3: arith.select
// CHECK-NOT:     arith.select
// CHECK:         return
func.func @avoided(%x: vector<4xi32>, %d: vector<4xi32>, %mask: vector<4xi1>) -> vector<4xi32> {
  %zeros = arith.constant dense<0> : vector<4xi32>
  %ones = arith.constant dense<1> : vector<4xi32>
  %minus = arith.constant dense<-1> : vector<4xi32>
  %is_zero = arith.cmpi eq, %d, %zeros : vector<4xi32>
  %is_minus = arith.cmpi eq, %d, %minus : vector<4xi32>
  %a = arith.select %is_zero, %ones, %d : vector<4xi1>, vector<4xi32>
  %b = arith.select %is_minus, %ones, %a : vector<4xi1>, vector<4xi32>
  %c = arith.select %mask, %b, %ones : vector<4xi1>, vector<4xi32>
  %q = arith.divsi %x, %c : vector<4xi32>
  return %q : vector<4xi32>
}

// CHECK-LABEL: func.func @by_nothing
// CHECK:         arith.select
// CHECK:         arith.divsi
func.func @by_nothing(%x: i32) -> i32 {
  %zero = arith.constant 0 : i32
  %q = arith.divsi %x, %zero : i32
  return %q : i32
}
