/** ECharts with only what our charts need. Tips are drawn on the canvas: markup would need styles. */
import { BarChart, LineChart, PieChart } from 'echarts/charts';
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from 'echarts/components';
import { init, use, type ECharts, type EChartsCoreOption } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { onMounted, onUnmounted, watch, type Ref } from 'vue';

use([BarChart, LineChart, PieChart, AriaComponent, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer]);

/* ECharts writes axes and legends in 12 px, whatever the text style says. */
const words = { fontSize: 14, color: '#33414e' };
const axis = { axisLabel: words, nameTextStyle: words };
const theme = { categoryAxis: axis, valueAxis: axis, legend: { textStyle: words }, tooltip: { textStyle: { fontSize: 15 } } };

/** Draws `option` into the element, anew when it changes or the element's size does. */
export function useChart(place: Ref<HTMLElement | null>, option: () => EChartsCoreOption): void {
  let chart: ECharts | null = null;
  const sized = new ResizeObserver(() => chart?.resize());
  onMounted(() => {
    if (!place.value) return;
    chart = init(place.value, theme);
    chart.setOption(option());
    sized.observe(place.value);
  });
  watch(option, (fresh) => chart?.setOption(fresh, true));
  onUnmounted(() => {
    sized.disconnect();
    chart?.dispose();
  });
}

/** A colour of the page's own, so that high contrast reaches the charts too. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
